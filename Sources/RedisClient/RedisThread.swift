import Glibc
import SharedProtocol

/// The thread that all of hiredis' work happens on, looking up the host's address included, which blocks.
enum RedisThread {
    static func start(_ inbox: RedisInbox, _ address: RedisAddress, _ script: String) throws(RedisError) {
        guard let loop = RedisLoop(inbox, address, script) else { throw .cannotStart("epoll: error \(errno)") }
        let context = Unmanaged.passRetained(loop)
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, { RedisThread.main($0) }, context.toOpaque())
        if code != 0 {
            context.release()
            throw .cannotStart("pthread_create: error \(code)")
        }
        pthread_detach(thread)
    }

    private static func main(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let context else { return nil }
        // Signals are the business of other threads; a write to a connection that has ended would raise SIGPIPE here.
        var signals = sigset_t()
        sigfillset(&signals)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        Unmanaged<RedisLoop>.fromOpaque(context).takeRetainedValue().run()
        return nil
    }
}
