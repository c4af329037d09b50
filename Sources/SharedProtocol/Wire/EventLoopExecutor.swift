import NIOCore

/// Runs Swift tasks on an event loop's thread. A service that does nothing but pass messages on then needs one thread for
/// all of it: a task that waits for a frame goes on where the frame is read, without waking another thread for each step
/// (measured: a third of the CPU of a request). Work that takes long belongs elsewhere.
public final class EventLoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    public init(_ loop: any EventLoop) { self.loop = loop }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
