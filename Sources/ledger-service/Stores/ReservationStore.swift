import FoundationEssentials
import SharedProtocol
import Storage

/// The rows of live reservations, and of the webs that own them.
enum ReservationStore {
    static func write(_ reservation: Reservation, of request: RequestID, _ connection: any SQLConnection) throws {
        let progress = reservation.progress
        if reservation.isStored {
            try connection.execute(
                "UPDATE reservations SET prompt = ?, completion = ? WHERE request = ?",
                [progress?.prompt.rawValue ?? 0, progress?.completion.rawValue ?? 0, request.rawValue])
        } else {
            try connection.execute(
                "INSERT INTO reservations (request, owner, prompt, completion, body) VALUES (?, ?, ?, ?, ?)",
                [
                    request.rawValue, reservation.owner.rawValue, progress?.prompt.rawValue ?? 0,
                    progress?.completion.rawValue ?? 0, try encode(reservation),
                ])
        }
    }

    static func load(_ connection: any SQLConnection) throws -> [RequestID: Reservation] {
        let rows = try connection.rows("SELECT request, prompt, completion, body FROM reservations")
        return Dictionary(uniqueKeysWithValues: try rows.map(reservation))
    }

    static func reservation(_ row: SQLRow) throws -> (RequestID, Reservation) {
        let request = RequestID(row[0] as String)
        var reservation = try JSONDecoder().decode(Reservation.self, from: Data((row[3] as String).utf8))
        let progress = Ledger.Progress(request: request, prompt: TokenCount(row[1]), completion: TokenCount(row[2]))
        if progress.prompt > 0 || progress.completion > 0 { reservation.progress = progress }
        return (request, reservation)
    }

    static func encode(_ reservation: Reservation) throws -> String {
        String(decoding: try JSONEncoder().encode(reservation), as: UTF8.self)
    }

    /// Replaces the list of webs that are known to live.
    static func write(_ owners: [InstanceID], _ connection: any SQLConnection) throws {
        try connection.execute("DELETE FROM owners")
        for owner in owners { try connection.execute("INSERT INTO owners (instance) VALUES (?)", [owner.rawValue]) }
    }

    static func owners(_ connection: any SQLConnection) throws -> [InstanceID] {
        try connection.rows("SELECT instance FROM owners").map { InstanceID($0[0] as String) }
    }
}
