import Hummingbird
import SharedProtocol

extension Site {
    /// Where the reader is logged in.
    func sessions(_ visit: Visit) async throws -> Response {
        let call = Auth.ListSessions(user: visit.person.id, current: sessionHash(of: visit.request))
        let sessions = try await authCall(call, for: visit)
        let content = SessionsPage(sessions, notice: visit.query("done").flatMap(SessionNotice.init(rawValue:)))
        return page("sessions", title: "Your sessions", content, for: visit)
    }

    func endSession(_ visit: Visit) async throws -> Response {
        guard let id = visit.parameters.get("session"), id.utf8.count <= Self.longestSessionID else {
            throw PageProblem.notFound
        }
        try await authCall(Auth.EndSession(user: visit.person.id, session: SessionID(id)), for: visit)
        return .redirect(to: "/sessions?done=\(SessionNotice.ended.rawValue)")
    }

    /// Bytes; ids are shorter.
    private static let longestSessionID = 100

    func endOtherSessions(_ visit: Visit) async throws -> Response {
        guard let current = sessionHash(of: visit.request) else { throw PageProblem.signedOut }
        try await authCall(Auth.EndOtherSessions(user: visit.person.id, keeping: current), for: visit)
        return .redirect(to: "/sessions?done=\(SessionNotice.othersEnded.rawValue)")
    }
}

/// What the page says about the change that led to it.
private enum SessionNotice: String {
    case ended
    case othersEnded = "others-ended"

    var text: String {
        switch self {
        case .ended: "That session is ended."
        case .othersEnded: "All other sessions are ended."
        }
    }
}

private struct SessionsPage: Sendable {
    var notice: String?
    var hasOthers: Bool
    var sessions: [Row]

    struct Row: Sendable {
        var id: String
        var browser: String
        /// What the browser says of itself, in full.
        var agent: String?
        var address: String
        var opened: Moment
        var seen: Moment
        var isCurrent: Bool

        init(_ session: Auth.SessionSummary) {
            let agent = session.browser.agent
            id = session.id.rawValue
            browser = BrowserLabel(agent: agent).text
            self.agent = agent.isEmpty ? nil : agent
            address = session.browser.address.isEmpty ? "unknown" : session.browser.address
            opened = Moment(session.opened)
            seen = Moment(session.seen)
            isCurrent = session.isCurrent
        }
    }

    init(_ sessions: [Auth.SessionSummary], notice: SessionNotice?) {
        self.notice = notice?.text
        hasOthers = sessions.contains { !$0.isCurrent }
        self.sessions = sessions.map(Row.init)
    }
}

/// A browser in words that its owner knows it by. For recognising only: anybody can send any `User-Agent`.
struct BrowserLabel: Sendable, Hashable {
    let text: String

    init(agent: String) {
        let name = Self.first(of: Self.names, in: agent)
        let system = Self.first(of: Self.systems, in: agent)
        switch (name, system) {
        case (let name?, let system?): text = "\(name) on \(system)"
        case (let name?, nil): text = name
        case (nil, let system?): text = "A browser on \(system)"
        case (nil, nil): text = "Unknown browser"
        }
    }

    // Browsers name those that they want to be taken for, too: what is said by the fewest stands first.
    private static let names = [
        ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]
    private static let systems = [
        ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
        ("Macintosh", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
    ]

    private static func first(of words: [(String, String)], in agent: String) -> String? {
        words.first { agent.contains($0.0) }?.1
    }
}
