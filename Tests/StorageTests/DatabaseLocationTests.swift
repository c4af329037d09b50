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
        #expect(DatabaseLocation(of: .ledger, beside: .sqlite(path: named)) == .sqlite(path: path))
    }

    @Test func onPostgresEachServiceHasItsOwnSchema() {
        let url = Secret("postgres://u:password@db/lumen")
        let location = DatabaseLocation(of: .ledger, beside: .postgres(url))
        #expect(location == .postgres(url: url, schema: "ledger", pool: .standard))
        #expect(!"\(location)".contains("password"))
    }
}
