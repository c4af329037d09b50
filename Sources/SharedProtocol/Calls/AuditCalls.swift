/// The audit log: who changed what, from what to what, when and from where. Auth keeps it, append-only; each entry holds the
/// hash of the one before it.
extension Auth {
    /// One page of entries, the latest first.
    public struct ReadAudit: Call {
        public static let method = "auth.read_audit"
        public static let isIdempotent = true
        public typealias Reply = [AuditEntry]

        /// Only entries with a smaller number; for paging.
        public var before: Int64?
        /// A part of the actor's e-mail address, of where they came from, of the action or of the subject, in any letter
        /// case; empty finds all.
        public var search: String
        /// 1 to 200.
        public var limit: Int

        public init(before: Int64? = nil, search: String = "", limit: Int) {
            self.before = before
            self.search = search
            self.limit = limit
        }
    }

    /// Writes down a change that another service is about to make. Asked for before the change, which is not made when this
    /// fails: nothing happens that is not in the log. `refused`: an action without a name.
    public struct Audit: Call {
        public static let method = "auth.audit"
        public static let isIdempotent = false
        public typealias Reply = Done

        public var action: AuditAction
        public var by: Actor

        public init(action: AuditAction, by: Actor) {
            self.action = action
            self.by = by
        }
    }

    /// Walks the whole log and recomputes its hashes.
    public struct VerifyAudit: Call {
        public static let method = "auth.verify_audit"
        public static let isIdempotent = true
        public typealias Reply = AuditVerification

        public init() {}
    }
}

extension Auth {
    /// Who makes a change, and from where.
    public struct Actor: WireValue, Hashable {
        public var user: UserID
        public var email: String
        /// The client's address as text; empty when unknown.
        public var address: String

        public init(user: UserID, email: String, address: String) {
            self.user = user
            self.email = email
            self.address = address
        }
    }

    /// What is changed. Never holds a secret.
    public struct AuditAction: WireValue, Hashable {
        /// Like `user.disable`.
        public var name: String
        /// Whom or what it concerns: `user 7 a@example.org`, `group chem`.
        public var subject: String
        /// The state before and after as short texts; absent where there is none.
        public var before: String?
        public var after: String?

        /// Bytes of each text; a longer one is cut.
        public static let most = 1000

        public init(name: String, subject: String, before: String? = nil, after: String? = nil) {
            self.name = name
            self.subject = subject
            self.before = before
            self.after = after
        }
    }

    public struct AuditEntry: WireValue, Hashable {
        /// Counts from 1 without gaps.
        public var number: Int64
        public var time: Timestamp
        /// Absent for what auth does by itself, as when a group's file takes it over.
        public var by: Actor?
        public var action: AuditAction
        public var request: RequestID?

        public init(number: Int64, time: Timestamp, by: Actor?, action: AuditAction, request: RequestID?) {
            self.number = number
            self.time = time
            self.by = by
            self.action = action
            self.request = request
        }
    }

    /// What a walk along the log found.
    public struct AuditVerification: WireValue, Hashable {
        /// Entries that are as they were written, up to the first that is not.
        public var entries: Int64
        /// The hash of the last of them. Whoever wrote it down earlier, with its number, can tell that the log's end was not
        /// taken away since.
        public var head: String
        /// What is wrong with the entry after them; absent when there is none.
        public var fault: String?

        public init(entries: Int64, head: String, fault: String? = nil) {
            self.entries = entries
            self.head = head
            self.fault = fault
        }
    }
}
