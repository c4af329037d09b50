import FoundationEssentials
import NIOPosix
import SharedProtocol
import Testing

@testable import lumen

private func answer(_ service: ServiceName, _ instance: String, problems: [String] = []) -> SocketAnswer {
    let report = Instance.Report(
        service: service, instance: InstanceID(instance), pid: 7, version: "1.2", started: Timestamp(1_000_000),
        problems: problems)
    return SocketAnswer(service: service, instance: report.instance, status: .success(report), endpoints: [])
}

private func silent(_ service: ServiceName, _ instance: String?) -> SocketAnswer {
    SocketAnswer(
        service: service, instance: instance.map { InstanceID($0) },
        status: .failure(CallError(.deadlineExceeded, "no answer in time")), endpoints: [])
}

private let everyone = [answer(.web, "w"), answer(.router, "r"), answer(.auth, "a"), answer(.ledger, "l")]

private func child(_ service: ServiceName, _ instance: String, _ state: Supervision.Child.State) -> Supervision.Child {
    Supervision.Child(service: service, instance: InstanceID(instance), pid: nil, restarts: 2, state: state)
}

@Test func everyServiceAnsweringIsHealthy() {
    let status = SiteStatus(everyone, supervision: nil)
    #expect(status.isHealthy)
    #expect(status.instances.map(\.service) == [.auth, .ledger, .router, .web])
    #expect(status.instances.allSatisfy { $0.restarts == nil })
}

@Test func aServiceThatIsNotThereIsNamed() {
    let status = SiteStatus(everyone.filter { $0.service != .ledger }, supervision: nil)
    #expect(!status.isHealthy)
    #expect(status.instances.first { $0.service == .ledger }?.problems == ["is not running"])
}

@Test func aServiceThatIsSilentOrUnwellIsNotHealthy() {
    for bad in [silent(.router, "x"), answer(.router, "x", problems: ["the disk is full"])] {
        let status = SiteStatus(everyone + [bad], supervision: nil)
        #expect(!status.isHealthy)
        #expect(status.instances.first { $0.instance == InstanceID("x") }?.problems.count == 1)
    }
}

@Test func theSupervisorTellsOfRestartsAndOfChildrenThatAreAway() {
    let children = [child(.auth, "a", .running), child(.router, "r2", .waiting), child(.ledger, "l", .running)]
    let status = SiteStatus(
        everyone.filter { $0.service != .ledger } + [silent(.ledger, nil)],
        supervision: Supervision.Report(children: children))
    #expect(status.instances.first { $0.service == .auth }?.restarts == 2)
    #expect(status.instances.filter { $0.service == .ledger }.map(\.instance) == [InstanceID("l")])
    #expect(
        status.instances.first { $0.instance == InstanceID("r2") }?.problems == ["died; will be started again"])
    #expect(!status.isHealthy)
}

@Test func aDrainingRouterIsShownAndNotUnwell() {
    let children = [child(.router, "gone", .draining), child(.router, "r", .running)]
    for answers in [everyone, everyone + [silent(.router, "gone")]] {
        let status = SiteStatus(answers, supervision: Supervision.Report(children: children))
        #expect(status.instances.filter(\.isDraining).map(\.instance) == [InstanceID("gone")])
        #expect(status.isHealthy)
        #expect(status.text(now: Timestamp(0)).contains("draining"))
    }
}

@Test func anEndpointThatIsOutIsNotHealthy() {
    let health = Router.EndpointHealth(
        model: ModelName("m"), url: "http://b/v1", isHealthy: false, detail: "refused", inFlight: 3, lastProbe: nil)
    var answers = everyone
    answers[1] = SocketAnswer(
        service: .router, instance: InstanceID("r"), status: answers[1].status, endpoints: [health])
    let status = SiteStatus(answers, supervision: nil)
    #expect(!status.isHealthy)
    #expect(status.text(now: Timestamp(0)).contains("m      http://b/v1  r       3     out: refused"))
}

@Test func theTextIsAligned() {
    let text = SiteStatus(everyone, supervision: nil).text(now: Timestamp(1_000_000 + 3_725_000))
    let expected = """
        SERVICE  INSTANCE  PID  UP         VERSION  RESTARTS  HEALTH
        auth     a         7    1 h 2 min  1.2      -         healthy
        """
    #expect(text.hasPrefix(expected))
}

@Test func everySocketOfTheFolderIsAsked() async throws {
    let site = try FakeSite()
    let identity = ServiceIdentity(service: .auth, instance: InstanceID("aaaa"), pid: 1)
    let server = CallServer(
        identity, socket: site.runDirectory + "/auth.sock", calls: CallTable(),
        on: .singletonMultiThreadedEventLoopGroup)
    let run = Task { try await server.run() }
    try Data().write(to: URL(filePath: site.runDirectory + "/router-bbbb.sock"))
    let client = SiteClient(runDirectory: site.runDirectory)
    try await eventually { await SocketAnswer.all(of: client).count == 2 }
    let answers = await SocketAnswer.all(of: client)
    let auth = try #require(answers.first { $0.service == .auth })
    #expect(try auth.status.get().instance == InstanceID("aaaa"))
    let dead = try #require(answers.first { $0.service == .router })
    #expect(dead.instance == InstanceID("bbbb"))
    #expect(throws: CallError.self) { try dead.status.get() }
    run.cancel()
    try await run.value
}
