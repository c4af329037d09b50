import NIOCore
import SharedProtocol

extension PostgresSettings {
    /// - Throws: a sentence, when there is no libpq or the URL cannot be understood.
    init(_ url: Secret, schema: String) throws(StorageProblem) {
        guard let library = PostgresLibrary.shared else {
            throw StorageProblem(
                "app.database_url names PostgreSQL, but libpq.so.5 is not installed (Debian's libpq5).")
        }
        guard library.understands(url.reveal()) else {
            throw StorageProblem(
                "app.database_url is no PostgreSQL URL: postgresql://user:password@host:port/database.")
        }
        self.init(library: library, url: url, schema: schema)
    }
}

extension PostgresConnection {
    /// Makes the settings of every connection, and has the server confirm that a commit is on its disk when it says so.
    func beginSession(_ settings: PostgresSettings) throws(PostgresError) {
        let answer = try simple(settings.session).rows.first
        guard answer?[0] == "on" else { throw PostgresError(.notDurable) }
        isFsyncOn = answer?[1] == "on"
    }

    /// - Throws: an error that tells that the outcome is unknown, when it is.
    func commit() throws(PostgresError) {
        do throws(PostgresError) {
            guard try simple("COMMIT").command == "COMMIT" else { throw PostgresError(.rolledBack) }
        } catch {
            throw isBroken ? error.withUnknownOutcome : error
        }
    }
}
