import SharedProtocol
import StorageTesting
import Testing

@testable import auth_service

/// Until when a key is good, and for which models.
@Suite(.bothEngines) struct KeyTermsTests {
    private let fixture: AuthFixture
    private let auth: RunningAuth

    init() async throws {
        fixture = try AuthFixture()
        auth = try await fixture.start()
    }

    private func create(expires: Timestamp? = nil, models: [ModelName]? = nil) -> Auth.CreateKey {
        Auth.CreateKey(owner: .email("ann@example.edu"), name: "k", expires: expires, models: models)
    }

    @Test func aKeyIsRefusedFromTheMomentOfItsExpiry() async throws {
        let expires = Timestamp(fixture.now.rawValue + 5000)
        let key = try await auth.call(create(expires: expires))
        let authenticate = Auth.Authenticate(key: fixture.hash(ofKey: key.secret))
        let holder = try await auth.call(authenticate)
        #expect(key.summary.expires == expires)
        #expect(holder.expires == expires)
        fixture.pass(4999)
        #expect(await auth.failure(authenticate) == nil)
        fixture.pass(1)
        #expect(await auth.failure(authenticate) == .unauthenticated)
        // Its owner sees it all the same.
        #expect(try await auth.call(Auth.ListKeys(user: holder.person.id)).map(\.expires) == [expires])
    }

    @Test func anExpiryInThePastIsRefused() async {
        #expect(await auth.failure(create(expires: fixture.now)) == .refused)
        #expect(await auth.failure(create(expires: Timestamp(0))) == .refused)
    }

    @Test func theListOfModelsIsToldToWhoeverReadsTheHolder() async throws {
        let models = ["a", "org/b:latest", "“ü”\\\"?"].map { ModelName($0) }
        let key = try await auth.call(create(models: models))
        #expect(key.summary.models == models)
        let holder = try await auth.call(Auth.Authenticate(key: fixture.hash(ofKey: key.secret)))
        #expect(holder.models == models)
        #expect(try await auth.call(Auth.ListKeys(user: holder.person.id)).first?.models == models)
    }

    @Test func aListThatIsNoneIsRefused() async {
        #expect(await auth.failure(create(models: [])) == .refused)
        #expect(await auth.failure(create(models: [ModelName("")])) == .refused)
        #expect(await auth.failure(create(models: [ModelName(String(repeating: "x", count: 201))])) == .refused)
        let many = (0...Auth.CreateKey.mostModels).map { ModelName("m\($0)") }
        #expect(await auth.failure(create(models: many)) == .refused)
        #expect(await auth.failure(create(models: Array(many.dropLast()))) == nil)
    }
}
