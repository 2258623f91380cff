internal import GRPC
internal import SubstrateAPI

extension ControlServices {
    /// The methods of `substrate.Operator`, each in the file of its name.
    var operatorMethods: [ServerMethod] {
        [
            offer(OperatorMethods.releaseHold, releaseHold), offer(OperatorMethods.drain, drain),
            offer(OperatorMethods.undrain, undrain),
        ]
    }
}
