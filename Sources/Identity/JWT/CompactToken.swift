internal import Foundation

/// A JSON Web Token taken apart. Nothing in it is to be believed before its signature is verified.
struct CompactToken {
    let algorithm: SigningAlgorithm
    /// Which of the issuer's keys has signed it.
    let keyID: String
    let claims: Claims
    let signature: [UInt8]
    /// What the signature is of.
    let signed: [UInt8]

    /// Size in bytes above which a token is not looked at.
    static let maximumSize = 16 << 10

    private struct Header: Decodable {
        var alg: String
        var kid: String?
        var typ: String?
        var isCritical: Bool

        private enum Field: CodingKey { case alg, kid, typ, crit }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: Field.self)
            alg = try fields.decode(String.self, forKey: .alg)
            kid = try fields.decodeIfPresent(String.self, forKey: .kid)
            typ = try fields.decodeIfPresent(String.self, forKey: .typ)
            isCritical = fields.contains(.crit)
        }
    }

    /// - Throws: `Problem`, which never quotes the token.
    init(_ text: Substring) throws(Problem) {
        guard text.utf8.count <= CompactToken.maximumSize else {
            throw Problem("it is larger than \(CompactToken.maximumSize) bytes")
        }
        let segments = text.split(separator: ".", omittingEmptySubsequences: false)
        guard segments.count == 3 else { throw Problem("it does not have three segments") }
        guard let header = Base64URL.decode(segments[0]), let payload = Base64URL.decode(segments[1]),
            let signature = Base64URL.decode(segments[2])
        else { throw Problem("a segment is not base64url without padding") }

        guard let header = try? JSONDecoder().decode(Header.self, from: Data(header)) else {
            throw Problem("its header is not the JSON of a token's header")
        }
        guard header.typ ?? "" == "" || header.typ == "JWT" else { throw Problem("its typ is not JWT") }
        // The sender demands that we understand extensions, and we know none.
        guard !header.isCritical else { throw Problem("its header has crit, and no extension is supported") }
        guard let algorithm = SigningAlgorithm(rawValue: header.alg) else {
            let known = SigningAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem("its alg is not one of \(known)")
        }
        guard let keyID = header.kid, !keyID.isEmpty else { throw Problem("its header has no kid") }
        guard let claims = try? JSONDecoder().decode(Claims.self, from: Data(payload)) else {
            throw Problem("its payload is not the JSON of a token's claims")
        }
        self.algorithm = algorithm
        self.keyID = keyID
        self.claims = claims
        self.signature = signature
        signed = Array(text.utf8.prefix(segments[0].utf8.count + 1 + segments[1].utf8.count))
    }
}
