/// The methods of `ateapi.Control`.
package enum ControlMethods {
    package static let getActor = RPC<GetActorRequest, ActorResponse>("/ateapi.Control/GetActor")
    package static let createActor = RPC<CreateActorRequest, ActorResponse>("/ateapi.Control/CreateActor")
    package static let updateActor = RPC<UpdateActorRequest, ActorResponse>("/ateapi.Control/UpdateActor")
    package static let suspendActor = RPC<SuspendActorRequest, ActorResponse>("/ateapi.Control/SuspendActor")
    package static let pauseActor = RPC<PauseActorRequest, ActorResponse>("/ateapi.Control/PauseActor")
    package static let resumeActor = RPC<ResumeActorRequest, ActorResponse>("/ateapi.Control/ResumeActor")
    package static let deleteActor = RPC<DeleteActorRequest, EmptyResponse>("/ateapi.Control/DeleteActor")
    package static let listActors = RPC<ListActorsRequest, ListActorsResponse>("/ateapi.Control/ListActors")
    package static let listWorkers = RPC<ListWorkersRequest, ListWorkersResponse>("/ateapi.Control/ListWorkers")
    package static let createAtespace = RPC<AtespaceRequest, AtespaceResponse>("/ateapi.Control/CreateAtespace")
    package static let getAtespace = RPC<AtespaceRequest, AtespaceResponse>("/ateapi.Control/GetAtespace")
    package static let deleteAtespace = RPC<AtespaceRequest, EmptyResponse>("/ateapi.Control/DeleteAtespace")
    package static let listAtespaces = RPC<ListAtespacesRequest, ListAtespacesResponse>("/ateapi.Control/ListAtespaces")
}
