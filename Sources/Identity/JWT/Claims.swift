/// What a token says. Times are Unix times in seconds, which may have a fraction.
struct Claims: Decodable {
    var issuer: String?
    var subject: String?
    var audience: [String]
    var expires: Double?
    var notBefore: Double?
    var issuedAt: Double?

    /// How far the issuer's clock may be from ours, in seconds.
    static let allowedSkew: Double = 300
    /// In bytes of UTF-8.
    static let maximumSubject = 1024

    private enum Field: String, CodingKey { case iss, sub, aud, exp, nbf, iat }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        issuer = try fields.decodeIfPresent(String.self, forKey: .iss)
        subject = try fields.decodeIfPresent(String.self, forKey: .sub)
        // One audience may come as a string, several as an array.
        if let one = try? fields.decode(String.self, forKey: .aud) {
            audience = [one]
        } else {
            audience = try fields.decodeIfPresent([String].self, forKey: .aud) ?? []
        }
        expires = try fields.decodeIfPresent(Double.self, forKey: .exp)
        notBefore = try fields.decodeIfPresent(Double.self, forKey: .nbf)
        issuedAt = try fields.decodeIfPresent(Double.self, forKey: .iat)
    }

    /// Whose token it is, if it is meant for us and for now.
    func identity(issuer: String, audience: String, now: Int64) throws(Problem) -> Identity {
        let now = Double(now)
        guard self.issuer == issuer else { throw Problem("its iss is not the issuer that is trusted here") }
        guard self.audience.contains(audience) else {
            throw Problem("its aud does not have the audience of this service")
        }
        guard let expires else { throw Problem("it has no exp") }
        guard now <= expires + Claims.allowedSkew else { throw Problem("it has expired") }
        if let notBefore, now < notBefore - Claims.allowedSkew { throw Problem("it is not valid yet (nbf)") }
        if let issuedAt, now < issuedAt - Claims.allowedSkew { throw Problem("it was issued in the future (iat)") }
        guard let subject, !subject.isEmpty else { throw Problem("it has no sub") }
        guard subject.utf8.count <= Claims.maximumSubject else {
            throw Problem("its sub is longer than \(Claims.maximumSubject) bytes")
        }
        // Far enough away for every clock, and safe to make an integer of.
        let end = min(expires + Claims.allowedSkew, 1e15)
        return Identity(tokenSubject: subject, validUntil: Int64(end))
    }
}
