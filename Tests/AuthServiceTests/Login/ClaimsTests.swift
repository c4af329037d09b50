import NIOCore
import SharedProtocol
import Testing

@testable import auth_service

@Suite struct ClaimsTests {
    private func claims(_ json: String) throws -> PersonClaims {
        try ByteBuffer(string: json).decodeJSON(PersonClaims.self)
    }

    private func stored(_ claims: GroupClaims) throws -> String {
        var buffer = ByteBuffer()
        try buffer.writeJSON(claims)
        return String(buffer: buffer)
    }

    @Test func aClaimIsAListOfValuesHoweverItIsWritten() throws {
        let claims = try claims(
            #"{"affiliation":" staff@x.edu;member@x.edu ; ","member_of":["a","b; c"],"idp":"urn:x","other":"no"}"#)
        #expect(
            claims.groupClaims.values == [
                "affiliation": ["staff@x.edu", "member@x.edu"], "member_of": ["a", "b", "c"], "idp": ["urn:x"],
            ])
        #expect(
            try stored(claims.groupClaims)
                == #"{"affiliation":["staff@x.edu","member@x.edu"],"member_of":["a","b","c"],"idp":["urn:x"],"ou":[]}"#)
    }

    @Test func whatIsStoredIsReadAgain() throws {
        let claims = GroupClaims(["ou": ["Physics"], "member_of": ["ünïcode \"x\""]])
        #expect(try ByteBuffer(string: stored(claims)).decodeJSON(GroupClaims.self) == claims)
    }

    @Test(arguments: ["null", "7", "true", "{}", "[1,2]", #"["a",1]"#])
    func aClaimOfAnotherTypeCountsAsAbsent(value: String) throws {
        let read = try claims(#"{"affiliation":\#(value),"email":\#(value),"name":\#(value)}"#)
        #expect(read.groupClaims.values.isEmpty)
        #expect(read.email == nil)
        #expect(read.name == nil)
    }

    @Test func countAndLengthAreBounded() throws {
        let long = String(repeating: "x", count: 1001)
        let many = (0..<600).map { "v\($0)" }.joined(separator: ";")
        let read = try claims(#"{"ou":"\#(long);short","member_of":"\#(many)"}"#).groupClaims
        #expect(read.values["ou"] == ["short"])
        #expect(read.values["member_of"]?.count == 500)
        #expect(read.values["member_of"]?.last == "v499")
    }

    @Test func userinfoCompletesAndTheTokenWins() throws {
        let token = try claims(#"{"email":"a@x.edu","idp":"urn:token"}"#)
        let userinfo = try claims(
            #"{"email":"b@x.edu","email_verified":true,"given_name":"Ada","family_name":"L","idp":"urn:other","ou":"X"}"#
        )
        let both = token.completed(by: userinfo)
        #expect(both.email == "a@x.edu")
        #expect(both.isEmailVerified == true)
        #expect(both.name == "Ada L")
        #expect(both.groupClaims.values == ["idp": ["urn:token"], "ou": ["X"]])
    }

    @Test(arguments: [("true", true), ("false", false), (#""true""#, true), (#""false""#, false), ("null", nil)])
    func verifiedMayBeWrittenAsText(json: String, expected: Bool?) throws {
        #expect(try claims(#"{"email_verified":\#(json)}"#).isEmailVerified == expected)
    }

    @Test func oneWhoSaysUnverifiedIsEnough() throws {
        let (no, yes) = (try claims(#"{"email_verified":false}"#), try claims(#"{"email_verified":true}"#))
        #expect(no.completed(by: yes).isEmailVerified == false)
        #expect(yes.completed(by: no).isEmailVerified == false)
    }

    private let identity = Auth.Identity(issuer: "https://id.example.edu", subject: "1")

    private func refusal(_ json: String, hints: [String] = []) throws -> Auth.LoginRefusal? {
        let claims = try claims(json)
        do throws(LoginProblem) {
            _ = try VerifiedPerson(identity, claims, hints: hints)
            return nil
        } catch {
            return error.refusal
        }
    }

    @Test func theAddressMustBeThereAndNotUnverified() throws {
        #expect(try refusal(#"{"email":"a@x.edu"}"#) == nil)
        #expect(try refusal(#"{"email":"a@x.edu","email_verified":true}"#) == nil)
        #expect(try refusal(#"{"email":"a@x.edu","email_verified":false}"#) == .emailUnverified)
        for json in ["{}", #"{"email":""}"#, #"{"email":"nobody"}"#, #"{"email":"a b@x.edu"}"#] {
            #expect(try refusal(json) == .emailMissing)
        }
    }

    @Test func onlyTheHintedInstitutionsAreLetIn() throws {
        let hints = ["urn:a", "urn:b"]
        #expect(try refusal(#"{"email":"a@x.edu","idp":"urn:b"}"#, hints: hints) == nil)
        #expect(try refusal(#"{"email":"a@x.edu","idp":"urn:bc"}"#, hints: hints) == .institutionNotAllowed)
        #expect(try refusal(#"{"email":"a@x.edu"}"#, hints: hints) == .institutionNotAllowed)
    }

    @Test func aNameIsOneLine() throws {
        let claims = try claims(
            #"{"email":"A@X.edu","name":" A\u202Eda\n \u0000 Lovelace \#(String(repeating: "y", count: 200))"}"#)
        let person = try VerifiedPerson(identity, claims, hints: [])
        #expect(person.email == "a@x.edu")
        #expect(person.name?.hasPrefix("Ada Lovelace yyy") == true)
        #expect(person.name?.count == 100)
        #expect(try VerifiedPerson(identity, self.claims(#"{"email":"a@x.edu","name":"\t"}"#), hints: []).name == nil)
    }
}
