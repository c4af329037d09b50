import FoundationEssentials
import Glibc
import SharedProtocol
import Testing

@testable import lumen

struct RunFolderTests {
    @Test func oneAtATimeHoldsTheFolder() throws {
        let site = try FakeSite()
        let folder = try RunFolder.take(site.runDirectory)
        let refusal = #expect(throws: OperatorError.self) { try RunFolder.take(site.runDirectory) }
        #expect(refusal?.description == "Lumen is already running in \(site.runDirectory).")
        folder.release()
        try RunFolder.take(site.runDirectory).release()
    }

    @Test func theFolderIsClosedToOthersAndLeftEmpty() throws {
        let site = try FakeSite()
        chmod(site.runDirectory, 0o755)
        for dead in ["auth.sock", "auth.sock.lock", "router-abc.sock.lock", "web.sock.new"] {
            try Data().write(to: URL(filePath: site.runDirectory + "/" + dead))
        }
        let alive = try SocketFile.claim(site.runDirectory + "/ledger.sock")
        let folder = try RunFolder.take(site.runDirectory)
        var info = stat()
        stat(site.runDirectory, &info)
        #expect(info.st_mode & 0o777 == 0o700)
        #expect(try names(in: site) == ["ledger.sock.lock", "lumen.lock"])
        alive.release()
        folder.release()
        #expect(try names(in: site) == [])
    }

    /// Closing /tmp to everybody else would stop the whole machine.
    @Test func aFolderThatEverybodySharesIsRefusedAndLeftAsItIs() throws {
        let site = try FakeSite()
        chmod(site.runDirectory, 0o1777)
        #expect(throws: OperatorError.self) { try RunFolder.take(site.runDirectory) }
        var info = stat()
        stat(site.runDirectory, &info)
        #expect(info.st_mode & 0o7777 == 0o1777)
    }

    private func names(in site: FakeSite) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: site.runDirectory).sorted()
    }
}
