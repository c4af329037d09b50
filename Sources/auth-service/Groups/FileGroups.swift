import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import SharedProtocol
import Storage

/// Brings the table of groups up to date with the configuration's, at start and after each change, and has other services
/// forget what they remember of anybody's groups. Instances that do it at once, with one file, find it done.
final class FileGroups: ServiceLifecycle.Service {
    /// How often a change that could not be written is tried again.
    static let retryInterval = Duration.seconds(1)

    private let changes: AuditedChanges
    private let configuration: @Sendable () -> LumenConfiguration
    private let logger: Logger
    private let (news, newsOf) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    /// Those that were last written.
    private let written = NIOLockedValueBox<[GroupName: GroupConfiguration]>([:])

    init(_ changes: AuditedChanges, configuration: @escaping @Sendable () -> LumenConfiguration, logger: Logger) {
        self.changes = changes
        self.configuration = configuration
        self.logger = logger
    }

    /// The configuration has changed. Returns at once.
    func configurationChanged() { newsOf.yield() }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.news {
                while !Task.isCancelled {
                    do throws(CallError) {
                        try await self.synchronise()
                        break
                    } catch {
                        self.logger.warning("the file's groups could not be written: \(error.message)")
                        try? await Task.sleep(for: Self.retryInterval)
                    }
                }
            }
        }
    }

    /// Does nothing when the groups are those of the last time. What others do meanwhile, they do in a transaction before or
    /// after this one.
    func synchronise() async throws(CallError) {
        let groups = configuration().groups
        guard written.withLockedValue({ $0 }) != groups else { return }
        try await changes.make(by: nil, nil) { change in
            // A rule may be another, though the rows are the same.
            change.touchAccess()
            try Self.write(groups, change)
        }
        written.withLockedValue { $0 = groups }
    }

    private static func write(_ groups: [GroupName: GroupConfiguration], _ change: AuditedChange) throws {
        let rows = try change.connection.rows("SELECT \(Group.columns) FROM user_group ORDER BY name").map { Group($0) }
        for row in rows {
            if let group = groups[row.name] {
                if row.origin == .panel { try takeOver(row, group, change) } else { try update(row, group, change) }
            } else if row.origin == .file {
                try leave(row, change)
            }
        }
        let known = Set(rows.map(\.name))
        for group in groups.values where !known.contains(group.name) {
            try Group.insert(
                group.name, title: group.name.rawValue, .file, isDisabled: group.isDisabled, at: change.time,
                change.connection)
        }
    }

    /// Members by hand stay; title, budgets and rules are the file's from now on.
    private static func takeOver(_ row: Group, _ group: GroupConfiguration, _ change: AuditedChange) throws {
        try change.connection.execute(
            "UPDATE user_group SET origin = 'file', title = name WHERE name = ?", [row.name.rawValue])
        try set(row, isDisabled: group.isDisabled, change)
        let after = "file, \(Group.state(isDisabled: group.isDisabled))"
        try change.note("group.take_over", row.subject, before: "panel, \(row.state), \(row.title)", after: after)
    }

    /// A group that has left the file gives nothing to anyone until an admin enables it, in the panel from now on.
    private static func leave(_ row: Group, _ change: AuditedChange) throws {
        try change.connection.execute("UPDATE user_group SET origin = 'panel' WHERE name = ?", [row.name.rawValue])
        try set(row, isDisabled: true, change)
        try change.note("group.leave_file", row.subject, before: "file, \(row.state)", after: "panel, disabled")
    }

    private static func update(_ row: Group, _ group: GroupConfiguration, _ change: AuditedChange) throws {
        guard row.isDisabled != group.isDisabled else { return }
        try set(row, isDisabled: group.isDisabled, change)
        try change.note(
            group.isDisabled ? "group.disable" : "group.enable", row.subject, before: row.state,
            after: Group.state(isDisabled: group.isDisabled))
    }

    private static func set(_ row: Group, isDisabled: Bool, _ change: AuditedChange) throws {
        try change.connection.execute(
            "UPDATE user_group SET disabled = ? WHERE name = ?",
            [isDisabled ? change.time.rawValue : Int64?.none, row.name.rawValue])
    }
}
