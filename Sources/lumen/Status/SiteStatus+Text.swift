import SharedProtocol

extension SiteStatus {
    /// Two tables for people.
    func text(now: Timestamp) -> String {
        var services = TextTable(["SERVICE", "INSTANCE", "PID", "UP", "VERSION", "RESTARTS", "HEALTH"])
        for instance in instances {
            services.add([
                instance.service.rawValue, instance.instance?.rawValue ?? "-", instance.pid.map { "\($0)" } ?? "-",
                instance.started.map { Self.span(now.rawValue - $0.rawValue) } ?? "-", instance.version ?? "-",
                instance.restarts.map { "\($0)" } ?? "-",
                Self.health(of: instance),
            ])
        }
        guard !endpoints.isEmpty else { return services.text }
        var models = TextTable(["MODEL", "ENDPOINT", "ROUTER", "BUSY", "HEALTH"])
        for endpoint in endpoints {
            let health = endpoint.isHealthy ? "healthy" : "out: \(endpoint.detail)"
            models.add([
                endpoint.model.rawValue, endpoint.url, endpoint.router.rawValue, "\(endpoint.inFlight)", health,
            ])
        }
        return services.text + "\n\n" + models.text
    }

    private static func health(of instance: Instance) -> String {
        if instance.isDraining { return "draining: finishes its streams, takes no new ones" }
        return instance.problems.isEmpty ? "healthy" : instance.problems.joined(separator: "; ")
    }

    /// The two largest units.
    private static func span(_ milliseconds: Int64) -> String {
        let seconds = max(0, milliseconds) / 1000
        switch seconds {
        case ..<60: return "\(seconds) s"
        case ..<3600: return "\(seconds / 60) min \(seconds % 60) s"
        case ..<86_400: return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
        default: return "\(seconds / 86_400) d \(seconds % 86_400 / 3600) h"
        }
    }
}

/// Columns as wide as their widest cell.
struct TextTable {
    private var rows: [[String]]

    init(_ head: [String]) { rows = [head] }

    mutating func add(_ row: [String]) { rows.append(row) }

    var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop(while: { $0 == " " }).reversed())
        }.joined(separator: "\n")
    }
}
