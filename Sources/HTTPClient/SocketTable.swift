import CCurl
import Glibc

/// Which sockets epoll watches, and what for.
///
/// libcurl asks for a connection's socket when a request begins and lets go of it when the response ends. A connection
/// stays registered meanwhile, which saves two system calls per request: libcurl tells when it opens and closes
/// connections, so that a descriptor's new life is never taken for its old one. Other descriptors (the resolver's)
/// it closes unannounced; those are removed at once.
struct SocketTable {
    let epoll: Int32
    /// Connections closed so far.
    private(set) var closings = 0
    private var entries: [Entry] = []

    private struct Entry {
        /// What epoll watches for; 0 when it does not know the descriptor.
        var registered: UInt32 = 0
        /// What libcurl waits for.
        var wanted: UInt32 = 0
        var isConnection = false
    }

    /// - Parameter inbox: a descriptor that is watched, edge-triggered, beside the sockets.
    init?(_ inbox: Int32) {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        if epoll < 0 { return nil }
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLET.rawValue
        event.data.fd = inbox
        if epoll_ctl(epoll, EPOLL_CTL_ADD, inbox, &event) != 0 {
            Glibc.close(epoll)
            return nil
        }
    }

    func close() {
        Glibc.close(epoll)
    }

    /// Follows libcurl's wish: one of `CURL_POLL_…`.
    mutating func wait(for what: Int32, on socket: Int32) {
        grow(to: socket)
        let index = Int(socket)
        switch what {
        case CURL_POLL_IN: entries[index].wanted = EPOLLIN.rawValue
        case CURL_POLL_OUT: entries[index].wanted = EPOLLOUT.rawValue
        case CURL_POLL_INOUT: entries[index].wanted = EPOLLIN.rawValue | EPOLLOUT.rawValue
        default: entries[index].wanted = 0
        }
        if entries[index].wanted != 0 || !entries[index].isConnection { register(socket) }
    }

    /// What libcurl is to be told of the event; nil when it does not wait for that socket, which is then unregistered.
    mutating func directions(of event: epoll_event) -> Int32? {
        let socket = event.data.fd
        let wanted = entries[Int(socket)].wanted
        if wanted == 0 {
            register(socket)
            return nil
        }
        // On an error libcurl finds out which by reading or writing.
        let isBroken = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
        let ready = isBroken ? wanted : event.events
        return (ready & EPOLLIN.rawValue != 0 ? CURL_CSELECT_IN : 0)
            | (ready & EPOLLOUT.rawValue != 0 ? CURL_CSELECT_OUT : 0)
    }

    /// A connection's socket begins its life.
    mutating func opened(_ socket: Int32) {
        grow(to: socket)
        entries[Int(socket)] = Entry(isConnection: true)
    }

    /// Closes the socket; epoll forgets it by itself.
    mutating func close(_ socket: Int32) -> Int32 {
        if Int(socket) < entries.count { entries[Int(socket)] = Entry() }
        closings &+= 1
        return Glibc.close(socket)
    }

    private mutating func grow(to socket: Int32) {
        while entries.count <= Int(socket) { entries.append(Entry()) }
    }

    /// Brings epoll in line with what is wanted.
    private mutating func register(_ socket: Int32) {
        let entry = entries[Int(socket)]
        if entry.registered == entry.wanted { return }
        var event = epoll_event()
        event.events = entry.wanted
        event.data.fd = socket
        let change = entry.registered == 0 ? EPOLL_CTL_ADD : entry.wanted == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD
        _ = epoll_ctl(epoll, change, socket, &event)
        entries[Int(socket)].registered = entry.wanted
    }
}
