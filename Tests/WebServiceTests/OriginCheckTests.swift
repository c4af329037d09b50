import HTTPTypes
import SharedProtocol
import Testing

@testable import web_service

@Suite struct OriginCheckTests {
    let check = OriginCheck(origin: WebOrigin(isSecure: true, host: "lumen.example.edu", port: 443))

    @Test(
        arguments: [
            ("https://lumen.example.edu", nil, true), ("https://lumen.example.edu", "cross-site", true),
            (nil, "same-origin", true), (nil, nil, false), (nil, "same-site", false), (nil, "none", false),
            (nil, "cross-site", false), ("null", "same-origin", false), ("https://evil.example", "same-origin", false),
            ("http://lumen.example.edu", nil, false), ("https://lumen.example.edu:444", nil, false),
            ("https://lumen.example.edu.evil.example", nil, false), ("https://x.lumen.example.edu", nil, false),
            ("", "same-origin", false),
        ] as [(String?, String?, Bool)])
    func aChangeMustComeFromThisSite(origin: String?, fetchSite: String?, isAllowed: Bool) {
        for method in [HTTPRequest.Method.post, .put, .patch, .delete, .connect] {
            #expect(check.allows(request(method, origin, fetchSite), hasSession: true) == isAllowed)
        }
        #expect(check.allows(request(.get, origin, fetchSite), hasSession: true))
        #expect(check.allows(request(.post, origin, fetchSite), hasSession: false))
    }

    @Test(
        arguments: [
            (nil, true), ("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false),
            ("x", false),
        ] as [(String?, Bool)])
    func aLoginIsNotMadeForAnotherSite(fetchSite: String?, isAllowed: Bool) {
        #expect(check.allowsLogin(request(.get, nil, fetchSite)) == isAllowed)
    }

    private func request(_ method: HTTPRequest.Method, _ origin: String?, _ fetchSite: String?) -> HTTPRequest {
        var request = HTTPRequest(method: method, scheme: "https", authority: "x", path: "/keys")
        request.headerFields[.origin] = origin
        request.headerFields[.secFetchSite] = fetchSite
        return request
    }
}

@Suite struct SessionCookieTests {
    let secure = SessionCookie(for: WebOrigin(isSecure: true, host: "x", port: 443))
    let plain = SessionCookie(for: WebOrigin(isSecure: false, host: "localhost", port: 5000))

    @Test func onlyHTTPSHasThePrefixAndSecure() {
        #expect(secure.setting("s") == "__Host-lumen=s; Path=/; HttpOnly; SameSite=Lax; Secure")
        #expect(plain.setting("s") == "lumen=s; Path=/; HttpOnly; SameSite=Lax")
    }

    @Test(
        arguments: [
            ("lumen=abc", "abc"), ("a=1; lumen=abc; b=2", "abc"), ("xlumen=abc", nil), ("lumen", nil), ("lumen=", nil),
            ("lumen=a; lumen=b", nil), ("__Host-lumen=abc", nil), ("lumenx=abc", nil),
        ] as [(String, String?)])
    func oneCookieOfOurNameCounts(header: String, secret: String?) {
        var request = HTTPRequest(method: .get, scheme: "http", authority: "x", path: "/")
        request.headerFields[.cookie] = header
        #expect(plain.secret(in: request) == secret)
    }
}

@Suite struct DisplayTextTests {
    @Test func timesAreRFC3339InUTC() {
        #expect(Timestamp(1_700_000_000_999).rfc3339 == "2023-11-14T22:13:20Z")
    }

    @Test(
        arguments: [
            (0, "0"), (999, "999"), (1_000, "1\u{202F}000"), (-1_234_567, "−1\u{202F}234\u{202F}567"),
            (.min, "−9\u{202F}223\u{202F}372\u{202F}036\u{202F}854\u{202F}775\u{202F}808"),
        ] as [(Int64, String)])
    func tokensAreGrouped(count: Int64, text: String) {
        #expect(TokenCount(count).grouped == text)
    }

    @Test(
        arguments: [
            (0, "$0.00"), (1_000_000_000, "$1.00"), (1_200_000, "$0.0012"), (1, "$0.000000001"),
            (-500_000_000, "−$0.50"),
        ] as [(Int64, String)])
    func moneyKeepsTheDecimalsThatMatter(amount: Int64, text: String) {
        #expect(NanoDollars(amount).dollars == text)
    }

    @Test(
        arguments: [
            (0, "0 s"), (89_001, "90 s"), (90_001, "2 min"), (8_579_000, "3 h"), (172_800_001, "3 days"),
        ] as [(Int64, String)])
    func waitsAreRoundedUpInAFittingUnit(milliseconds: Int64, text: String) {
        #expect(Duration.milliseconds(milliseconds).inWords == text)
    }
}
