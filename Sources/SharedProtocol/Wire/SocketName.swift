extension ServiceName {
    /// The file name of an instance's socket in `app.run_dir`. Only routers run side by side in one folder.
    public func socketName(of instance: InstanceID) -> String {
        self == .router ? "router-\(instance).sock" : "\(self).sock"
    }
}
