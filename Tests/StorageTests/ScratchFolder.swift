import Foundation
import Logging
import SharedProtocol
import Storage

/// A folder of the test's own, removed with this value.
final class ScratchFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "lumen-" + RandomText.base32(8)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func location() throws -> DatabaseLocation {
        try DatabaseLocation(of: .ledger, beside: .sqlite(path: path + "/lumen.db"))
    }

    func open(_ migrations: [Migration]) throws -> ServiceDatabase {
        try ServiceDatabase(at: location(), migrations: migrations, logger: Logger(label: "test"))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
