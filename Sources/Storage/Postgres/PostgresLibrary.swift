import CLibPQ

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// libpq, loaded when it is first asked for and never unloaded.
final class PostgresLibrary: Sendable {
    let pq: LibPQ

    /// Nil when there is none on this machine.
    static let shared = PostgresLibrary()

    private init?() {
        var table = LibPQ()
        guard lumen_load_libpq(&table) != 0 else { return nil }
        pq = table
    }

    /// Whether this is a PostgreSQL URL that can be understood.
    func understands(_ url: String) -> Bool {
        guard let options = pq.conninfoParse(url, nil) else { return false }
        pq.conninfoFree(options)
        return true
    }
}

/// An answer of the server, freed with this value.
struct PostgresResult: ~Copyable {
    let library: PostgresLibrary
    let handle: OpaquePointer

    deinit { library.pq.clear(handle) }

    /// Why the statement failed; nil when it did not.
    var error: PostgresError? {
        let status = library.pq.resultStatus(handle)
        if status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY { return nil }
        guard let state = field(LUMEN_DIAG_SQLSTATE) else { return PostgresError(.lost) }
        return PostgresError(.answered(state), constraint: field(LUMEN_DIAG_CONSTRAINT))
    }

    private func field(_ name: Int) -> String? {
        library.pq.resultErrorField(handle, Int32(name)).map { String($0) }
    }

    /// `COMMIT`, `INSERT 0 1` …
    var command: String { String(library.pq.commandStatus(handle)) }

    var rowsChanged: Int { Int(String(library.pq.commandTuples(handle))) ?? 0 }

    var rows: [SQLRow] {
        let columns = 0..<library.pq.columnCount(handle)
        let names = columns.map { String(library.pq.columnName(handle, $0)) }
        let types = columns.map { library.pq.columnType(handle, $0) }
        return (0..<library.pq.rowCount(handle)).map { row in
            SQLRow(columns.map { value(row, $0, types[Int($0)]) }, names: names)
        }
    }

    private func value(_ row: Int32, _ column: Int32, _ type: Oid) -> SQLValue {
        guard library.pq.isNull(handle, row, column) == 0, let start = library.pq.value(handle, row, column) else {
            return .null
        }
        switch type {
        case Self.int8, Self.int4, Self.int2: return .integer(Int64(strtoll(start, nil, 10)))
        case Self.bool: return .integer(start.pointee == UInt8(ascii: "t") ? 1 : 0)
        default: break
        }
        let bytes = UnsafeRawBufferPointer(start: start, count: Int(library.pq.length(handle, row, column)))
        let text = String(decoding: bytes, as: UTF8.self)
        // What `sum` makes of a bigint.
        if type == Self.numeric, let number = Int64(text) { return .integer(number) }
        return .text(text)
    }

    // Of pg_type; they are the same in all servers.
    private static let bool: Oid = 16
    private static let int8: Oid = 20
    private static let int2: Oid = 21
    private static let int4: Oid = 23
    private static let numeric: Oid = 1700
}

extension String {
    /// A text of C; empty when there is none.
    init(_ text: UnsafePointer<CChar>?) { self = text.map { String(cString: $0) } ?? "" }
}
