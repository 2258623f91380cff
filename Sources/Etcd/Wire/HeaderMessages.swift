internal import CMessages

extension ResponseHeader {
    init(_ header: UnsafeMutablePointer<Etcdserverpb__ResponseHeader>?) {
        guard let header else { return }
        clusterID = header.pointee.cluster_id
        revision = header.pointee.revision
        raftTerm = header.pointee.raft_term
    }
}
