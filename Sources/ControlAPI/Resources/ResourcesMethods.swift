internal import GRPC
internal import SubstrateAPI

extension ControlServices {
    /// The methods of `substrate.Resources`.
    var resourcesMethods: [ServerMethod] {
        [
            offer(ResourcesMethods.applyPool, applyPool),
            offer(ResourcesMethods.getPool, getPool),
            offer(ResourcesMethods.listPools, listPools),
            offer(ResourcesMethods.deletePool, deletePool),
            offer(ResourcesMethods.applyTemplate, applyTemplate),
            offer(ResourcesMethods.getTemplate, getTemplate),
            offer(ResourcesMethods.listTemplates, listTemplates),
            offer(ResourcesMethods.deleteTemplate, deleteTemplate),
        ]
    }
}
