import SharedProtocol

/// Which groups a person is in. Everyone is in `default`. The groups that the configuration gives by rule rest on what an
/// identity provider says at login, so they belong here as soon as people log in through one.
enum Membership {
    static func groups(of user: User) -> [GroupName] { [.everyone] }
}
