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

    @Test func modelAddressRemoteNameAndKeyMakeAnEndpoint() throws {
        var configuration = try RouterHarness.configuration([urls[0]])
        let first = configuration.models[0].endpoints[0]
        var others = [first, first, first]
        others[0].apiKey = Secret("another key")
        others[1].remoteModel = "another name"
        others[2].url = urls[1]
        configuration.models[0].endpoints += others
        var another = configuration.models[0]
        another.name = ModelName("another/model")
        configuration.models.append(another)
        for index in 0..<8 {
            let directory = EndpointDirectory(configuration)
            directory.all[index].record.goOut()
            // A reload finds each one's record by its identity.
            directory.update(configuration)
            #expect(directory.report.map(\.isHealthy) == (0..<8).map { $0 != index })
        }
    }

    @Test func aFullModelTakesNobodysTurn() throws {
        let directory = EndpointDirectory(
            try RouterHarness.configuration(Array(urls.prefix(2)), options: "max_concurrency: 1"))
        let first = try #require(directory.choose(RouterHarness.model, excluding: []))
        let second = try #require(directory.choose(RouterHarness.model, excluding: []))
        #expect(directory.choose(RouterHarness.model, excluding: []) == nil)
        directory.release(first)
        directory.release(second)
        #expect(choose(directory) == "remote-0")
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

    @Test func aPlaceForATrialIsNoRoomForAll() throws {
        let directory = EndpointDirectory(try RouterHarness.configuration(Array(urls.prefix(2))))
        let all = directory.all
        #expect(directory.hasRoom(RouterHarness.model, excluding: [all[0]]))
        for _ in 0..<HealthState.failuresToOut {
            all[1].record.failed(.connection, .regular, at: .now() - .seconds(5))
        }
        #expect(!directory.hasRoom(RouterHarness.model, excluding: [all[0]]))
        let choice = directory.choose(RouterHarness.model, excluding: [all[0]])
        #expect(choice?.admission == .trial(1))
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
