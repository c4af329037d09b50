import SharedProtocol
import Storage

/// A session that is about to be opened. Its secret goes to the browser and is stored nowhere.
struct NewSession: Sendable {
    let secret: String
    private let hash: CredentialHash
    private let browser: Auth.Browser
    /// The session that the browser has had so far.
    private let previous: CredentialHash?
    let opened: Timestamp
    private let limits: SessionLimits

    /// Base 62 characters of the secret: 256 random bits.
    private static let secretLength = 43

    init(
        _ browser: Auth.Browser, replacing previous: CredentialHash? = nil, _ configuration: LumenConfiguration,
        at now: Timestamp
    ) {
        secret = RandomText.base62(Self.secretLength)
        hash = CredentialHash(of: secret, under: configuration.app.secretKey.reveal())
        self.browser = browser
        self.previous = previous
        opened = now
        limits = SessionLimits(configuration.sessions, now: now)
    }

    /// Makes the row, and removes that of the session before and those of sessions that are over.
    ///
    /// - Returns: whether the session before was still there.
    func insert(for user: UserID, _ connection: any SQLConnection) throws -> Bool {
        try connection.execute(
            "DELETE FROM session WHERE opened <= ? OR seen <= ?",
            [limits.oldestOpened.rawValue, limits.oldestSeen.rawValue])
        let ended = try connection.execute("DELETE FROM session WHERE hash = ?", [previous?.rawValue])
        try connection.execute(
            "INSERT INTO session (hash, id, owner, opened, seen, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                hash.rawValue, SessionID.random().rawValue, user.rawValue, opened.rawValue, opened.rawValue,
                browser.address.prefix(bytes: Auth.Browser.most), browser.agent.prefix(bytes: Auth.Browser.most),
            ])
        return ended > 0
    }
}
