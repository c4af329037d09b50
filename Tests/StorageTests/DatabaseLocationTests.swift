import SharedProtocol
import Storage
import Testing

struct DatabaseLocationTests {
    @Test(arguments: [
        ("/etc/lumen/lumen.db", "/etc/lumen/lumen.ledger.db"),
        ("/etc/lumen/data/lumen.sqlite3", "/etc/lumen/data/lumen.ledger.sqlite3"),
        ("/var/lib.d/lumen", "/var/lib.d/lumen.ledger"),
    ])
    func eachServiceHasItsOwnFileBesideTheOneNamed(named: String, path: String) throws {
        #expect(try DatabaseLocation(of: .ledger, beside: .sqlite(path: named)) == .sqlite(path: path))
    }

    @Test func postgresIsRefusedWithASentence() {
        let problem = #expect(throws: StorageProblem.self) {
            try DatabaseLocation(of: .ledger, beside: .postgres(Secret("postgres://u:password@db/lumen")))
        }
        #expect(problem?.description.hasPrefix("app.database_url ") == true)
        #expect(problem?.description.contains("password") == false)
    }
}
