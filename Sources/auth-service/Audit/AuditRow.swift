import Crypto
import SharedProtocol
import Storage

/// An entry of the audit log as it is stored, and the hash that ties it to the one before it: whoever alters, removes or
/// swaps entries behind the service's back has to compute all later hashes anew, and then the last one is another.
struct AuditRow {
    var number: Int64
    var time: Int64
    var actor: Int64?
    var email: String?
    var address: String?
    var action: String
    var subject: String
    var before: String?
    var after: String?
    var request: String?

    /// What stands in the place of the hash before the first entry.
    static let noHash = String(repeating: "0", count: 2 * SHA256.byteCount)

    /// The columns that `init(_:)` reads.
    static let columns = "number, time, actor, actor_email, address, action, subject, before, after, request"

    init(
        _ number: Int64, at time: Timestamp, _ action: Auth.AuditAction, by actor: Auth.Actor?, _ request: RequestID?
    ) {
        self.number = number
        self.time = time.rawValue
        self.actor = actor?.user.rawValue
        email = actor?.email.stored
        address = actor?.address.stored
        self.action = action.name.stored
        subject = action.subject.stored
        before = action.before?.stored
        after = action.after?.stored
        self.request = request?.rawValue.stored
    }

    init(_ row: SQLRow) {
        number = row["number"]
        time = row["time"]
        actor = row["actor"]
        email = row["actor_email"]
        address = row["address"]
        action = row["action"]
        subject = row["subject"]
        before = row["before"]
        after = row["after"]
        request = row["request"]
    }

    var values: [any SQLConvertible] {
        [number, time, actor, email, address, action, subject, before, after, request]
    }

    var entry: Auth.AuditEntry {
        Auth.AuditEntry(
            number: number, time: Timestamp(time),
            by: actor.map { Auth.Actor(user: UserID($0), email: email ?? "", address: address ?? "") },
            action: Auth.AuditAction(name: action, subject: subject, before: before, after: after),
            request: request.map { RequestID($0) })
    }

    /// SHA-256 over the hash before and every field, in lower-case hexadecimal.
    func hash(after previous: String) -> String {
        let fields = [
            "lumen audit 1", previous, String(number), String(time), actor.map { String($0) }, email, address, action,
            subject, before, after, request,
        ]
        var sha = SHA256()
        for field in fields { sha.update(data: Self.encoded(field)) }
        return sha.finalize().map { byte in
            let digits = String(byte, radix: 16)
            return digits.utf8.count < 2 ? "0" + digits : digits
        }.joined()
    }

    /// So that no two lists of fields are the same bytes: an absent one is a 0, any other a 1, its length in 8 bytes, the
    /// highest first, and its UTF-8.
    private static func encoded(_ field: String?) -> [UInt8] {
        guard let field else { return [0] }
        let length = withUnsafeBytes(of: UInt64(field.utf8.count).bigEndian) { Array($0) }
        return [1] + length + Array(field.utf8)
    }
}

extension String {
    /// At most `AuditAction.most` bytes, and as both engines give it back: PostgreSQL has no U+0000.
    fileprivate var stored: String {
        let text = prefix(bytes: Auth.AuditAction.most)
        return text.utf8.contains(0) ? String(text.map { $0 == "\0" ? "\u{FFFD}" : $0 }) : text
    }
}
