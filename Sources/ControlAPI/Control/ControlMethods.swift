internal import GRPC
internal import SubstrateAPI

extension ControlServices {
    /// The methods of `ateapi.Control`, each in the file of its name.
    var controlMethods: [ServerMethod] {
        [
            offer(ControlMethods.getActor, getActor),
            offer(ControlMethods.createActor, createActor),
            offer(ControlMethods.updateActor, updateActor),
            offer(ControlMethods.suspendActor, suspendActor),
            offer(ControlMethods.pauseActor, pauseActor),
            offer(ControlMethods.resumeActor, resumeActor),
            offer(ControlMethods.deleteActor, deleteActor),
            offer(ControlMethods.listActors, listActors),
            offer(ControlMethods.listWorkers, listWorkers),
            offer(ControlMethods.createAtespace, createAtespace),
            offer(ControlMethods.getAtespace, getAtespace),
            offer(ControlMethods.deleteAtespace, deleteAtespace),
            offer(ControlMethods.listAtespaces, listAtespaces),
            offer(ControlMethods.debugClear, debugClear),
        ]
    }
}
