import SharedProtocol
import Testing

@testable import lumen

struct DatabaseWarningTests {
    @Test(arguments: [(54, true), (55, false), (100, false)])
    func connectionsBeyondTheServersAreToldBeforehand(limit: Int, isTold: Bool) {
        let sentence = DatabaseWarning.sentence(for: .standard, limit: limit)
        #expect((sentence != nil) == isTold)
        #expect(sentence?.hasPrefix("app.db_pool: ") != false)
    }
}
