import Testing

@testable import web_service

@Suite struct DateHeaderTests {
    /// The example of RFC 9110, 5.6.7, and a day of one digit.
    @Test(arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (1_772_323_200, "Sun, 01 Mar 2026 00:00:00 GMT"),
    ])
    func dateIsAsTheStandardHasIt(second: Int, text: String) {
        #expect(DateHeader.text(of: second) == text)
    }
}
