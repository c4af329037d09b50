import NIOCore
import SharedProtocol
import Testing

@testable import router_service

@Suite struct EndpointDirectoryTests {
    private let urls = ["http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1", "http://127.0.0.1:3/v1"]

    @Test func endpointsTakeTurns() throws {
        let directory = EndpointDirectory(try RouterHarness.configuration(urls))
        let chosen = (0..<9).compactMap { _ in choose(directory) }
        #expect(chosen == Array(repeating: ["remote-0", "remote-1", "remote-2"], count: 3).flatMap { $0 })
    }

    @Test func theTurnsAreEvenWhenOneIsOut() throws {
        let directory = EndpointDirectory(try RouterHarness.configuration(urls))
        directory.all[1].record.goOut()
        let chosen = (0..<10).compactMap { _ in choose(directory) }
        #expect(chosen.filter { $0 == "remote-0" }.count == 5)
        #expect(chosen.filter { $0 == "remote-2" }.count == 5)
    }

    @Test func twoKeysOnOneAddressAreTwoEndpoints() throws {
        let directory = EndpointDirectory(try RouterHarness.configuration([urls[0], urls[0]]))
        directory.all[0].record.goOut()
        #expect(directory.report.map(\.isHealthy) == [false, true])
    }

    @Test func aReloadKeepsTheRecordsOfWhatStays() throws {
        let directory = EndpointDirectory(try RouterHarness.configuration(Array(urls.prefix(2))))
        directory.all[1].record.goOut()
        directory.update(try RouterHarness.configuration(urls, options: "idle_timeout: 7"))
        #expect(directory.report.map(\.isHealthy) == [true, false, true])
        #expect(directory.all[1].configuration.timeouts.idle == .seconds(7))
    }

    @Test func aReloadDoesNotTouchARunningRequest() throws {
        let directory = EndpointDirectory(try RouterHarness.configuration(urls))
        let choice = try #require(directory.choose(RouterHarness.model, excluding: []))
        #expect(directory.report.map(\.inFlight) == [1, 0, 0])
        directory.update(try RouterHarness.configuration(urls))
        #expect(directory.report.map(\.inFlight) == [1, 0, 0])
        directory.release(choice)
        #expect(directory.report.map(\.inFlight) == [0, 0, 0])
    }

    @Test func whatWasTriedIsNotChosenAgain() throws {
        let directory = EndpointDirectory(try RouterHarness.configuration(urls))
        let all = directory.all
        #expect(directory.choose(RouterHarness.model, excluding: all) == nil)
        let choice = directory.choose(RouterHarness.model, excluding: [all[0], all[2]])
        #expect(choice?.endpoint.identity == all[1].identity)
    }

    @Test func ofManyThatAreOutTheOneOutLongestIsTheLastResort() throws {
        let directory = EndpointDirectory(try RouterHarness.configuration(urls))
        for index in [2, 0, 1] { directory.all[index].record.goOut() }
        let choice = directory.choose(RouterHarness.model, excluding: [])
        #expect(choice?.isLastResort == true)
        #expect(choice?.endpoint.configuration.remoteModel == "remote-2")
        #expect(directory.choose(RouterHarness.model, excluding: []) == nil)
    }

    private func choose(_ directory: EndpointDirectory) -> String? {
        directory.choose(RouterHarness.model, excluding: [])?.endpoint.configuration.remoteModel
    }
}

extension EndpointDirectory {
    /// The endpoint that a request gets without waiting.
    func choose(_ model: ModelName, excluding tried: [Endpoint]) -> Choice? {
        if case .chosen(let choice) = selectNow(model, excluding: tried) { choice } else { nil }
    }
}
