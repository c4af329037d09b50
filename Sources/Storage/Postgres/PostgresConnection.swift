import CLibPQ
import NIOCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A connection to PostgreSQL. Its calls block until the server has answered or `deadline` has passed, and no longer: a
/// server that is stopped or gone breaks the connection. Used by one thread at a time, to which its pool gives it.
final class PostgresConnection: SQLConnection, @unchecked Sendable {
    private let library: PostgresLibrary
    private let handle: OpaquePointer
    private var statements: [String: String] = [:]
    private(set) var isBroken = false
    /// Whether the server waits for its disk at all.
    var isFsyncOn = true
    let opened = NIODeadline.now()
    /// Until when answers are waited for.
    var deadline: NIODeadline

    /// Prepared statements that are kept; beyond, all are forgotten and prepared anew.
    private static let mostStatements = 200

    var engine: SQLEngine { .postgres }

    /// Begins to connect; `connect` does it.
    private init(_ library: PostgresLibrary, _ handle: OpaquePointer, until deadline: NIODeadline) {
        self.library = library
        self.handle = handle
        self.deadline = deadline
    }

    deinit { library.pq.finish(handle) }

    static func open(
        _ settings: PostgresSettings, until deadline: NIODeadline
    ) throws(PostgresError) -> PostgresConnection {
        let (library, parameters) = (settings.library, settings.parameters)
        let handle = withCStrings(parameters.map(\.keyword)) { keywords in
            withCStrings(parameters.map(\.value)) { library.pq.connectStartParams(keywords, $0, 1) }
        }
        guard let handle else { throw PostgresError(.unreachable) }
        let connection = PostgresConnection(library, handle, until: deadline)
        try connection.connect()
        return connection
    }

    private func connect() throws(PostgresError) {
        // Of an error during connecting only its text can be had: have that contain the code, and nothing else.
        _ = library.pq.setErrorVerbosity(handle, PQERRORS_SQLSTATE)
        _ = library.pq.setNoticeProcessor(handle, lumen_ignore_notice, nil)
        guard library.pq.status(handle) != CONNECTION_BAD else { throw connectFailure }
        var next = PGRES_POLLING_WRITING
        while next != PGRES_POLLING_OK {
            try wait(for: next == PGRES_POLLING_READING ? POLLIN : POLLOUT)
            next = library.pq.connectPoll(handle)
            if next == PGRES_POLLING_FAILED { throw connectFailure }
        }
        _ = library.pq.setNonblocking(handle, 1)
    }

    private var connectFailure: PostgresError {
        if library.pq.needsPassword(handle) != 0 { return PostgresError(.answered("28P01")) }
        let message = String(library.pq.errorMessage(handle))
        let words = message.split(whereSeparator: \.isNewline).first?.split(separator: " ") ?? []
        guard let state = words.last,
            state.utf8.count == 5, state.allSatisfy({ $0.isNumber || $0.isUppercase })
        else {
            return PostgresError(.unreachable, detail: words.joined(separator: " "))
        }
        return PostgresError(.answered(String(state)))
    }

    // MARK: Statements

    @discardableResult
    func execute(_ sql: String, _ values: [any SQLConvertible]) throws -> Int { try perform(sql, values).rowsChanged }

    func rows(_ sql: String, _ values: [any SQLConvertible]) throws -> [SQLRow] { try perform(sql, values).rows }

    func script(_ sql: String) throws { _ = try simple(sql) }

    /// Statements without values, in one message.
    func simple(_ sql: String) throws(PostgresError) -> PostgresResult {
        guard library.pq.sendQuery(handle, sql) == 1 else { throw lost() }
        return try answer()
    }

    private func perform(_ sql: String, _ values: [any SQLConvertible]) throws(PostgresError) -> PostgresResult {
        let name = try prepare(sql)
        let sent = PostgresValues(values).withPointers { pointers in
            library.pq.sendQueryPrepared(handle, name, Int32(pointers.count), pointers.baseAddress, nil, nil, 0)
        }
        guard sent == 1 else { throw lost() }
        return try answer()
    }

    private func prepare(_ sql: String) throws(PostgresError) -> String {
        if let name = statements[sql] { return name }
        if statements.count >= Self.mostStatements {
            _ = try simple("DEALLOCATE ALL")
            statements = [:]
        }
        let name = "s\(statements.count)"
        guard library.pq.sendPrepare(handle, name, Self.numbered(sql), 0, nil) == 1 else { throw lost() }
        _ = try answer()
        statements[sql] = name
        return name
    }

    /// `?`, `?` … as `$1`, `$2` …
    static func numbered(_ sql: String) -> String {
        var result = ""
        for (index, part) in sql.split(separator: "?", omittingEmptySubsequences: false).enumerated() {
            if index > 0 { result += "$\(index)" }
            result += part
        }
        return result
    }
}

// MARK: Waiting

extension PostgresConnection {
    /// Sends what libpq still has, and waits for the whole answer. Throws the first error in it.
    private func answer() throws(PostgresError) -> PostgresResult {
        try flush()
        var failure: PostgresError?
        var last: PostgresResult?
        while let next = try nextResult() {
            let result = PostgresResult(library: library, handle: next)
            failure = failure ?? result.error
            last = consume result
        }
        if library.pq.status(handle) != CONNECTION_OK { isBroken = true }
        if let failure { throw failure }
        guard let last = last.take() else { throw lost() }
        return last
    }

    private func flush() throws(PostgresError) {
        while true {
            switch library.pq.flush(handle) {
            case 0: return
            case 1: try wait(for: POLLIN | POLLOUT)
            default: throw lost()
            }
            // The server may be unable to read before we have read.
            guard library.pq.consumeInput(handle) == 1 else { throw lost() }
        }
    }

    private func nextResult() throws(PostgresError) -> OpaquePointer? {
        while library.pq.isBusy(handle) == 1 {
            try wait(for: POLLIN)
            if library.pq.consumeInput(handle) == 1 { continue }
            // The server's last words, if there were any, are the result.
            isBroken = true
            break
        }
        return library.pq.getResult(handle)
    }

    /// Waits for a notification that this session listens to; takes all that have come.
    ///
    /// - Returns: false when there was none until then.
    func waitForNotification(until end: NIODeadline) throws(PostgresError) -> Bool {
        while true {
            guard library.pq.consumeInput(handle) == 1 else { throw lost() }
            var hasCome = false
            while let notification = library.pq.notifies(handle) {
                library.pq.freeMemory(notification)
                hasCome = true
            }
            if hasCome { return true }
            let left = end - .now()
            guard left > .zero else { return false }
            var descriptor = pollfd(fd: library.pq.socket(handle), events: Int16(POLLIN), revents: 0)
            let count = poll(&descriptor, 1, Int32(clamping: left.nanoseconds / 1_000_000 + 1))
            if count < 0, errno != EINTR { throw lost() }
        }
    }

    private func wait(for events: Int32) throws(PostgresError) {
        while true {
            let left = deadline - .now()
            guard left > .zero else {
                isBroken = true
                throw PostgresError(.timedOut)
            }
            var descriptor = pollfd(fd: library.pq.socket(handle), events: Int16(events), revents: 0)
            let count = poll(&descriptor, 1, Int32(clamping: left.nanoseconds / 1_000_000 + 1))
            if count > 0 { return }
            if count < 0, errno != EINTR { throw lost() }
        }
    }

    private func lost() -> PostgresError {
        isBroken = true
        return PostgresError(.lost)
    }
}

/// Calls `body` with the texts as C has them, after which comes a null pointer.
private func withCStrings<T>(_ texts: [String], _ body: ([UnsafePointer<CChar>?]) -> T) -> T {
    let copies = texts.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    return body(copies.map { UnsafePointer($0) } + [nil])
}
