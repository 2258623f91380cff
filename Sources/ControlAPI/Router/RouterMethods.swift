internal import GRPC
internal import SubstrateAPI

extension ControlServices {
    /// The methods of `substrate.Router`, each in the file of its name.
    var routerMethods: [ServerMethod] { [offer(RouterMethods.reportServed, reportServed)] }
}
