/// Why PostgreSQL did not do what it was asked for. Tells no SQL, no values, no address and no password.
struct PostgresError: Error, Hashable, CustomStringConvertible {
    enum Kind: Hashable {
        /// The server's answer: the five characters of its SQLSTATE.
        case answered(String)
        /// There was no answer within the limit; the connection was given up.
        case timedOut
        /// The connection broke.
        case lost
        /// There could be no connection.
        case unreachable
        /// The server made a rollback of what was to be committed: an error before had been ignored.
        case rolledBack
        /// The server does not wait for its disk when it commits, whatever it is told.
        case notDurable
    }

    let kind: Kind
    /// Of the schema, when a rule of it was broken.
    let constraint: String?
    /// What libpq says of a server that cannot be reached: has its address, and is for the operator alone.
    let detail: String?
    /// It failed while it was being committed: nobody knows whether it was.
    private var isOutcomeUnknown = false

    init(_ kind: Kind, constraint: String? = nil, detail: String? = nil) {
        self.kind = kind
        self.constraint = constraint
        self.detail = detail
    }

    var withUnknownOutcome: PostgresError {
        var error = self
        error.isOutcomeUnknown = true
        return error
    }

    /// Another transaction was in the way; the same again may succeed.
    var isConflict: Bool { kind == .answered("40001") || kind == .answered("40P01") }

    /// For the log.
    var description: String { reason + (constraint.map { " (\($0))" } ?? "") }

    /// For whoever asked.
    var reason: String {
        isOutcomeUnknown ? "\(shortReason), and whether the change was made is not known" : shortReason
    }

    private var shortReason: String {
        switch kind {
        case .answered(let state):
            Self.sentences[state] ?? Self.sentences[String(state.prefix(2))]
                ?? "PostgreSQL answered \(state)"
        case .timedOut: "PostgreSQL did not answer in time"
        case .lost: "the connection to PostgreSQL broke"
        case .unreachable: "PostgreSQL cannot be reached"
        case .rolledBack: "PostgreSQL undid the change"
        case .notDurable: "PostgreSQL insists on synchronous_commit=off, with which commits may be lost"
        }
    }

    /// By SQLSTATE, or by the class that its first two characters name.
    private static let sentences = [
        "23": "a rule of the schema was broken",
        "25006": "PostgreSQL is read-only",
        "28": "PostgreSQL refuses the user or password",
        "3D000": "PostgreSQL has no such database",
        "40": "too many changes were made at once",
        "42501": "PostgreSQL does not permit it to this user",
        "53100": "PostgreSQL's disk is full",
        "53300": "PostgreSQL has no connection left",
        "55P03": "a lock was held for too long",
        "57014": "a statement took too long",
        "57P01": "PostgreSQL is stopping",
        "57P02": "PostgreSQL is stopping",
        "57P03": "PostgreSQL is starting or stopping",
        "58": "PostgreSQL's disk reports an error",
    ]
}

extension StorageProblem {
    /// Why a service cannot start with its PostgreSQL database.
    init(_ error: PostgresError) {
        switch error.kind {
        case .answered("28P01"), .answered("28000"):
            self.init("The PostgreSQL server refuses the user or the password of app.database_url.")
        case .answered("3D000"):
            self.init("The PostgreSQL server has no database of the name in app.database_url.")
        case .unreachable, .timedOut, .lost, .answered("57P01"), .answered("57P03"), .answered("53300"):
            let detail = error.detail.map { " (\($0))" } ?? ""
            self.init("The database of app.database_url cannot be used: \(error.reason)\(detail).", isTransient: true)
        case .answered, .rolledBack, .notDurable:
            self.init("The database of app.database_url cannot be used: \(error).")
        }
    }
}
