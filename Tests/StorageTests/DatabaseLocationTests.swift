import SharedProtocol
import Storage
import Testing

struct DatabaseLocationTests {
    @Test(arguments: [
        ("sqlite:///lumen.db", "/etc/lumen/lumen.ledger.db"),
        ("sqlite:///data/lumen.sqlite3", "/etc/lumen/data/lumen.ledger.sqlite3"),
        ("sqlite:////var/lib/lumen.db", "/var/lib/lumen.ledger.db"),
        ("sqlite:////var/lib.d/lumen", "/var/lib.d/lumen.ledger"),
    ])
    func eachServiceHasItsOwnFileBesideTheOneNamed(url: String, path: String) throws {
        #expect(try DatabaseLocation(of: .ledger, url: url, relativeTo: "/etc/lumen").path == path)
    }

    @Test(arguments: [
        "postgres://db/lumen", "postgresql://db/lumen", "mysql://db/lumen", "lumen.db", "sqlite://", "sqlite:///",
        "sqlite:///folder/", "sqlite:///:memory:",
    ])
    func whatCannotBeKeptIsRefusedWithASentence(url: String) {
        let problem = #expect(throws: StorageProblem.self) {
            try DatabaseLocation(of: .ledger, url: url, relativeTo: "/etc/lumen")
        }
        #expect(problem?.description.hasPrefix("app.database_url ") == true)
    }
}
