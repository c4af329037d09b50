import HTTPTypes
import Hummingbird
import NIOConcurrencyHelpers
import SharedProtocol
import Testing

@testable import web_service

@Suite struct UsagePageTests {
    let fixture: SiteFixture

    init() throws { fixture = try SiteFixture() }

    private var calls: [String] { fixture.services.calls.withLockedValue { $0 } }

    @Test func sumsAreShownForTheMonthThatIsAskedFor() async throws {
        let reply = try await fixture.send(.get, "/usage?month=2026-10")
        #expect(reply.status == .ok)
        #expect(calls.contains("report 1 2026-10 0"))
        #expect(reply.body.contains("Used: October 2026"))
        #expect(reply.body.contains(#"<option value="2026-10" selected>"#))
        #expect(reply.body.contains("$12.35<"))
        #expect(reply.body.contains("1\u{202F}000"), "the write-off")
        #expect(reply.body.contains("&lt;b&gt;big&lt;/b&gt;"))
        let everything = try await fixture.send(.get, "/usage?month=all")
        #expect(everything.body.contains("Used: All time"))
        #expect(calls.contains("report 1 ever 0"))
    }

    @Test func keysAreToldByName() async throws {
        let reply = try await fixture.send(.get, "/usage")
        for name in ["None: the chat of this site", "&lt;i&gt;laptop&lt;/i&gt;", "a revoked key"] {
            #expect(reply.body.contains(name))
        }
    }

    @Test(arguments: ["2026-13", "1", "2026-1", "../x", "2026-10-01"])
    func aMonthThatIsNoneIsABadRequest(month: String) async throws {
        #expect(try await fixture.send(.get, "/usage?month=\(month)").status == .badRequest)
        #expect(try await fixture.send(.get, "/usage.csv?month=\(month)").status == .badRequest)
    }

    @Test func aMonthWithoutUseSaysSo() async throws {
        fixture.services.report.withLockedValue {
            $0 = Ledger.UsageReport(
                total: Ledger.UsageSum(), days: [], models: [], groups: [], sources: [], keys: [], users: [])
        }
        let reply = try await fixture.send(.get, "/usage")
        #expect(reply.body.contains("Nothing was used."))
        #expect(!reply.body.contains("By model"))
    }

    @Test func aSharedPoolIsNamedAsSuch() async throws {
        fixture.services.pools.withLockedValue {
            $0.append(
                Ledger.Pool(
                    holder: .group, name: "default", balance: 0, reserved: 0, max: 1_000, refresh: 100,
                    group: .everyone))
        }
        let reply = try await fixture.send(.get, "/usage")
        #expect(reply.body.contains("Shared by everyone in “default”"))
        #expect(reply.body.contains("100 an hour, full in 10 h"))
        #expect(reply.body.contains("The next token comes within 36 s"))
        // The chat's models name pools of the reader's own.
        let account = try await fixture.send(.get, "/chat/api/account")
        #expect(account.body.contains(#""balance":"1"#))
        #expect(!account.body.contains("Shared by"))
    }

    @Test func olderRequestsKeepTheMonth() async throws {
        fixture.services.eventCount.withLockedValue { $0 = 60 }
        let reply = try await fixture.send(.get, "/usage?month=2026-10")
        #expect(reply.body.contains("/usage?month=2026-10&amp;before=11#requests"))
        #expect(reply.body.contains("3 written off"))
    }

    // MARK: Files

    @Test func sumsAreAFile() async throws {
        let reply = try await fixture.send(.get, "/usage.csv?month=2026-10")
        #expect(reply.status == .ok)
        #expect(reply.headers[.contentType] == "text/csv; charset=utf-8")
        #expect(reply.headers[.contentDisposition] == "attachment; filename=\"usage-2026-10.csv\"")
        #expect(reply.headers[.xContentTypeOptions] == "nosniff")
        let lines = reply.body.split(separator: "\r\n")
        #expect(
            lines.first
                == "by,name,requests,prompt_tokens,completion_tokens,billed_tokens,written_off_tokens,cost_usd")
        #expect(lines.contains("total,,1500,90000,10000,99000,1000,12.345678901"))
        #expect(lines.contains("key,a revoked key,1500,90000,10000,99000,1000,12.345678901"))
        #expect(lines.contains("day,2026-11-24,1500,90000,10000,99000,1000,12.345678901"))
        #expect(lines.contains("source,api,1500,90000,10000,99000,1000,12.345678901"))
    }

    @Test func requestsAreAFileReadPageByPage() async throws {
        fixture.services.eventCount.withLockedValue { $0 = 450 }
        let reply = try await fixture.send(.get, "/usage/events.csv")
        #expect(reply.headers[.contentType] == "text/csv; charset=utf-8")
        let lines = reply.body.split(separator: "\r\n")
        #expect(lines.count == 451)
        #expect(
            lines[1]
                == "2026-11-24T06:00:00Z,req_450,api,<i>laptop</i>,'=dummy,10,5,no,12,3,0.000001500,1250,,completed")
        #expect(lines.last?.contains(",req_1,api,a revoked key,") == true)
        let month = CalendarDay(.now()).month.rawValue
        #expect(calls.filter { $0 == "events \(month)" }.count == 3)
        #expect(reply.headers[.contentDisposition] == "attachment; filename=\"requests-\(month).csv\"")
    }

    @Test func aFileOfRequestsIsOfOneMonthOrOfAll() async throws {
        fixture.services.eventCount.withLockedValue { $0 = 1 }
        for (month, asked) in [("2026-10", "2026-10"), ("all", "ever")] {
            let page = try await fixture.send(.get, "/usage?month=\(month)")
            #expect(page.body.contains("href=\"/usage/events.csv?month=\(month)\""))
            let reply = try await fixture.send(.get, "/usage/events.csv?month=\(month)")
            #expect(reply.headers[.contentDisposition] == "attachment; filename=\"requests-\(month).csv\"")
            #expect(calls.contains("events \(asked)"))
        }
        #expect(try await fixture.send(.get, "/usage/events.csv?month=2026-13").status == .badRequest)
    }

    @Test func oneListOfTheSumsCanBeHadAlone() async throws {
        let reply = try await fixture.send(.get, "/usage.csv?month=all&by=source")
        let lines = reply.body.split(separator: "\r\n").dropFirst()
        #expect(lines.map { $0.split(separator: ",")[0] } == ["total", "source", "source"])
        for by in ["nonsense", ""] {
            #expect(try await fixture.send(.get, "/usage.csv?by=\(by)").status == .badRequest)
        }
    }

    @Test func aFileOfRequestsHasALimit() async throws {
        fixture.services.eventCount.withLockedValue { $0 = 1_000 }
        let services = fixture.services
        func page(before: Int64?) -> [Ledger.UsageEvent] {
            services.events(Ledger.Events(user: .ada, before: before, limit: EventsFile.eventsPerCall))
        }
        let collector = BodyCollector()
        var writer: any ResponseBodyWriter = collector
        try await EventsFile(keyNames: nil, most: 450).write(to: &writer, page(before: nil)) { page(before: $0) }
        let lines = collector.text.split(separator: "\r\n")
        #expect(lines.count == 451)
        #expect(lines.last?.contains(",req_551,api,key 8,") == true)
    }

    @Test func withTheLedgerAwayThereIsNoFile() async throws {
        fixture.services.isAway.withLockedValue { $0 = true }
        for path in ["/usage.csv", "/usage/events.csv"] {
            let reply = try await fixture.send(.get, path)
            #expect(reply.status == .serviceUnavailable)
            #expect(reply.headers[.contentDisposition] == nil)
        }
        let page = try await fixture.send(.get, "/usage")
        #expect(page.status == .ok)
        #expect(page.body.contains("Sums of usage are not available"))
    }
}

@Suite struct PageProblemTests {
    /// During an upgrade the ledger may be older than web.
    @Test func aServiceThatDoesNotKnowACallIsNotAvailable() {
        let problem = PageProblem(CallError(.unknownMethod, "ledger.report is not answered here"))
        #expect(problem.status == .serviceUnavailable)
        #expect(!problem.message.contains("ledger"))
    }
}

@Suite struct CSVTextTests {
    @Test(arguments: [
        ("plain", "plain"), ("a,b", "\"a,b\""), ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("two\r\nlines", "\"two\r\nlines\""),
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"),
        ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""), ("\r=1", "\"'\r=1\""), ("", ""),
        ("a=b", "a=b"),
    ])
    func textIsQuotedAndNeverAFormula(text: String, written: String) {
        #expect(CSVText.line([.text(text), "end"]) == written + ",end\r\n")
    }

    @Test func numbersArePlain() {
        #expect(
            CSVText.line([.number(-1_234_567), .dollars(1_200_000), .dollars(-5), .time(Timestamp(0))])
                == "-1234567,0.001200000,-0.000000005,1970-01-01T00:00:00Z\r\n")
    }
}

@Suite struct RoundedDollarsTests {
    @Test(arguments: [
        (0, "$0.00"), (1, "< $0.0001"), (100_000, "$0.0001"), (123_456_789, "$0.1235"), (1_234_567_890, "$1.23"),
        (1_235_000_000, "$1.24"), (Int64.max, "$9223372036.854775807"),
    ])
    func sumsAreRoundedToWhatMatters(nanoDollars: Int64, text: String) {
        #expect(NanoDollars(nanoDollars).roundedDollars == text)
    }
}

@Suite struct PoolRowTests {
    private func row(
        _ balance: TokenCount?, reserved: TokenCount = 0, of max: TokenCount? = 1_000, refresh: TokenCount = 100
    ) -> PoolRow {
        PoolRow(
            Ledger.Pool(name: "default", balance: balance, reserved: reserved, max: max, refresh: refresh, group: nil))
    }

    @Test func aPoolSaysWhenItIsFull() {
        #expect(row(500).fullIn == "5 h")
        #expect(row(500, reserved: 400).fullIn == "60 min", "what is held comes back or is spent, and does not refill")
        #expect(row(1_000).fullIn == nil)
        #expect(row(500, reserved: 500).fullIn == nil)
        #expect(row(500, refresh: 0).fullIn == nil)
        #expect(row(nil, of: nil).fullIn == nil)
        #expect(row(0, of: Budget.mostTokens, refresh: 1).fullIn == nil, "in more than a life")
    }

    @Test func anEmptyPoolSaysWhenTheNextTokenComes() {
        #expect(row(0).nextIn == "36 s")
        #expect(row(0, refresh: 1_000_000).nextIn == "1 s")
        #expect(row(1).nextIn == nil)
        #expect(row(0, refresh: 0).nextIn == nil)
    }
}

@Suite struct MonthPickerTests {
    private let now = Timestamp(1_768_000_000_000)  // 2026-01-09

    @Test func monthsGoBackToTheBeginning() {
        let picker = MonthPicker(for: .month(Month("2025-12")), action: "/", since: Month("2025-10"), now: now)
        #expect(picker.months.map(\.code) == ["2026-01", "2025-12", "2025-11", "2025-10", "all"])
        #expect(picker.months.map(\.text).prefix(2) == ["January 2026", "December 2025"])
        #expect(picker.months.filter(\.isChosen).map(\.code) == ["2025-12"])
    }

    @Test func theChosenMonthIsAlwaysThereAndTheListIsShort() {
        let picker = MonthPicker(for: .month(Month("1999-12")), action: "/", since: Month("1990-01"), now: now)
        #expect(picker.months.count == MonthPicker.mostMonths + 2)
        #expect(picker.months.contains { $0.code == "1999-12" && $0.isChosen })
        for first in [Month("2027-01"), nil] {
            let young = MonthPicker(for: .all, action: "/", since: first, now: now)
            #expect(young.months.map(\.code) == ["2026-01", "all"])
        }
    }
}
