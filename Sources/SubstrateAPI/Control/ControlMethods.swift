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
    package static let listWorkers = RPC<EmptyRequest, ListWorkersResponse>("/ateapi.Control/ListWorkers")
    package static let createAtespace = RPC<AtespaceRequest, AtespaceResponse>("/ateapi.Control/CreateAtespace")
    package static let getAtespace = RPC<AtespaceRequest, AtespaceResponse>("/ateapi.Control/GetAtespace")
    package static let deleteAtespace = RPC<AtespaceRequest, EmptyResponse>("/ateapi.Control/DeleteAtespace")
    package static let listAtespaces = RPC<EmptyRequest, ListAtespacesResponse>("/ateapi.Control/ListAtespaces")
    package static let debugClear = RPC<EmptyRequest, EmptyResponse>("/ateapi.Control/DebugClear")
}

/// The methods of `ateapi.SessionIdentity`.
package enum SessionIdentityMethods {
    package static let mintJWT = RPC<MintJWTRequest, MintJWTResponse>("/ateapi.SessionIdentity/MintJWT")
    package static let mintCert = RPC<MintCertRequest, MintCertResponse>("/ateapi.SessionIdentity/MintCert")
}
