import HTTPTypes
import Hummingbird
import SharedProtocol

extension Site {
    /// Tells somebody why they are not logged in, and lets them try again.
    func loginRefused(_ refusal: Auth.LoginRefusal, next: SitePath, _ context: WebContext) -> Response {
        let problem = refusal.problem
        return page(
            "login-refused", title: problem.title,
            LoginRefusedPage(
                message: problem.message, next: next.percentEncoded, refusal: refusal.rawValue,
                reference: context.request.rawValue),
            for: nil, at: "/login", status: problem.status)
    }
}

private struct LoginRefusedPage: Sendable {
    var message: String
    var next: String
    /// For whoever runs the site: the log has both.
    var refusal: String
    var reference: String
}

extension Auth.LoginRefusal {
    /// In words for the person, who can do nothing about a provider, but can tell those who can.
    fileprivate var problem: PageProblem {
        switch self {
        case .cancelled, .providerRefused, .attemptLost, .attemptForged, .attemptUsed, .codeRefused: attemptProblem
        case .emailMissing, .emailUnverified, .emailTaken, .institutionNotAllowed, .accountDisabled: personProblem
        case .providerUnavailable, .providerUnusable, .clientRefused: providerProblem
        case .clockSkew, .wrongIssuer, .wrongAudience, .wrongNonce, .algorithmNotAllowed, .unknownKey, .badSignature,
            .wrongSubject:
            PageProblem(.badGateway, "The login was not accepted", tokenFault + " Nobody was logged in.")
        }
    }

    private var attemptProblem: PageProblem {
        switch self {
        case .cancelled:
            PageProblem(.forbidden, "You did not log in", "The login was cancelled at the identity provider.")
        case .providerRefused:
            PageProblem(.forbidden, "You are not logged in", "The identity provider refused the login.")
        case .attemptForged:
            PageProblem(
                .badRequest, "This login did not begin here",
                "The address that led here belongs to no login of this browser. If you followed a link that somebody sent "
                    + "you, do not trust it.")
        case .attemptUsed:
            PageProblem(
                .badRequest, "This login is over",
                "It has been used already, as after the back button or a reload. You may be logged in: look at the front "
                    + "page.")
        case .codeRefused:
            PageProblem(
                .badRequest, "This login has expired",
                "The identity provider no longer accepts it: it was used before, or took too long.")
        default:
            PageProblem(
                .badRequest, "The login got lost",
                "Your browser did not send back the cookie that it got when the login began. Perhaps it blocks cookies, or "
                    + "the login took longer than \(Auth.LoginAttempt.lifetime.inWords).")
        }
    }

    private var personProblem: PageProblem {
        switch self {
        case .emailMissing:
            PageProblem(
                .forbidden, "No e-mail address",
                "The identity provider did not say your e-mail address, which this site knows people by. Allow it to, or "
                    + "choose another account.")
        case .emailUnverified:
            PageProblem(
                .forbidden, "Your e-mail address is not verified",
                "The identity provider says that your e-mail address is not verified. Verify it there first.")
        case .emailTaken:
            PageProblem(
                .forbidden, "Your e-mail address belongs to another account",
                "Somebody has logged in with this e-mail address through another identity. If that was you, log in the way "
                    + "you did then, or ask the people who run this site to link your account anew.")
        case .institutionNotAllowed:
            PageProblem(
                .forbidden, "Not with this institution",
                "This site does not let people in through the institution that you chose. Choose another one.")
        default: PageProblem(.forbidden, "Your account is disabled", "Ask the people who run this site.")
        }
    }

    private var providerProblem: PageProblem {
        switch self {
        case .providerUnavailable:
            PageProblem(
                .serviceUnavailable, "The identity provider does not answer",
                "It is down, or slower than anyone would wait. Please try again in a moment.")
        case .clientRefused:
            PageProblem(
                .badGateway, "The identity provider does not accept this site",
                "It refuses this site’s credentials. The people who run this site must look into it.")
        default:
            PageProblem(
                .badGateway, "The identity provider cannot be understood",
                "It answered with something that is no login. The people who run this site must look into it.")
        }
    }

    /// What is wrong with what the provider has signed.
    private var tokenFault: String {
        switch self {
        case .clockSkew:
            "It is not valid at this time: the clocks of this site and of the identity provider disagree."
        case .wrongIssuer: "It comes from another identity provider than the one that this site trusts."
        case .wrongAudience: "It was made for another site."
        case .wrongNonce: "It was made for another login."
        case .algorithmNotAllowed: "It is not signed in a way that this site trusts."
        case .unknownKey: "It is signed with a key that the identity provider does not publish."
        case .wrongSubject: "The identity provider’s answers are about different people."
        default: "Its signature is not valid."
        }
    }
}
