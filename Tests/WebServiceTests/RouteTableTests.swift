import Foundation
import Hummingbird
import Testing

@testable import web_service

/// The table that `test_every_route.py` walks as each kind of visitor has every route, and no other.
@Suite struct RouteTableTests {
    @Test func everyRouteIsInTheTable() throws {
        let table = try Self.table()
        #expect(Set(table).count == table.count, "a route is there twice")
        // The router writes `{id}` where its own code, and the table, have `:id`.
        let pages = try SiteFixture().routes.map { $0.replacing(/\{(\w+)\}/) { ":\($0.1)" } }
        let routes = Set(pages + Self.api + Self.probes)
        #expect(routes.subtracting(table) == [], "these routes are not in the table")
        #expect(Set(table).subtracting(routes) == [], "these are no routes")
    }

    private static func table() throws -> [String] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../SystemTests/routes.txt")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        return lines.filter { !$0.hasPrefix("#") }.map { line in
            line.split(separator: " ").prefix(2).joined(separator: " ")
        }
    }

    /// HEAD stands beside each GET.
    private static var api: [String] {
        V1Route.paths.flatMap { path, route in methods(of: route).map { "\($0) \(path)" } }
            + methods(of: .model("x")).map { "\($0) \(V1Route.modelPrefix)**" }
    }

    private static func methods(of route: V1Route) -> [String] {
        route.methods.map(\.rawValue).filter { $0 != "HEAD" }
    }

    /// Answered before any route is looked up.
    private static let probes = ["GET /healthz", "GET /readyz"]
}
