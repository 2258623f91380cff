internal import Etcd
internal import GRPC
internal import SubstrateAPI
internal import SubstrateModel
internal import SubstrateStore

extension ControlServices {
    private static let maximumPageSize = 1000

    /// Pages show the state of one revision, so none of the actors that stay is missed or comes twice.
    ///
    /// A page ends early when a message would get too large. Without a page size it is everything that fits into one: the
    /// older clients cannot page.
    @Sendable func listActors(_ request: ListActorsRequest) async throws -> ListActorsResponse {
        if !request.atespace.isEmpty { try Validation.name(request.atespace, "atespace") }
        if request.pageSize < 0 { throw Status.invalid("page_size cannot be negative") }
        if request.pageSize > Self.maximumPageSize {
            throw Status.invalid(
                "page_size \(request.pageSize) exceeds maximum page size \(Self.maximumPageSize)")
        }
        let atespace = request.atespace.isEmpty ? nil : request.atespace
        var cursor = try PageToken.parse(request.pageToken, atespace: request.atespace)
        let limit = request.pageSize == 0 ? Int.max : request.pageSize
        var actors: [ActorInfo] = []
        var bytes = 0
        while true {
            let page = try await page(atespace, cursor, limit: min(limit - actors.count, Self.maximumPageSize))
            for (index, (ref, actor)) in page.actors.enumerated() {
                let info = ActorInfo(ref, actor)
                bytes += info.estimatedBytes
                if bytes > Self.maximumBytes, let cursor {
                    return ListActorsResponse(
                        actors: actors, nextPageToken: PageToken.text(cursor, atespace: request.atespace))
                }
                actors.append(info)
                cursor = page.cursor(behind: index)
            }
            guard let next = page.next else { return ListActorsResponse(actors: actors, nextPageToken: "") }
            if actors.count >= limit {
                return ListActorsResponse(
                    actors: actors, nextPageToken: PageToken.text(next, atespace: request.atespace))
            }
        }
    }

    private func page(_ atespace: String?, _ cursor: Store.ActorCursor?, limit: Int) async throws -> Store.ActorPage {
        do {
            return try await store.listActors(in: atespace, after: cursor, limit: limit)
        } catch {
            guard case .etcd(let failure) = error else { throw error }
            switch failure.code {
            case .compacted: throw Status.invalid("page_token has expired, list from the start again")
            case .futureRevision: throw PageToken.invalid
            default: throw error
            }
        }
    }
}
