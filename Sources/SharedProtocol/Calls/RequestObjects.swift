import NIOCore

/// The members of what every model request sends; see `WireObject`.

extension Ledger.Account: WireObject {
    public func encodeMembers(into buffer: inout ByteBuffer) throws {
        try buffer.writeMember("user", user)
        try buffer.writeMember("groups", groups)
        try buffer.writeMember("created", created)
    }

    public init(members: inout MemberReader) throws {
        user = try members.decode("user")
        groups = try members.decode("groups")
        created = try members.decode("created")
    }
}

extension Ledger.Reserve: WireObject {
    public func encodeMembers(into buffer: inout ByteBuffer) throws {
        try buffer.writeMember("request", request)
        try buffer.writeMember("owner", owner)
        try buffer.writeMember("account", account)
        try buffer.writeMember("key", key)
        try buffer.writeMember("keyCap", keyCap)
        try buffer.writeMember("source", source)
        try buffer.writeMember("model", model)
        try buffer.writeMember("promptBound", promptBound)
        try buffer.writeMember("outputs", outputs)
        try buffer.writeMember("outputLimit", outputLimit)
    }

    public init(members: inout MemberReader) throws {
        request = try members.decode("request")
        owner = try members.decode("owner")
        account = try members.decode("account")
        key = try members.decodeIfPresent("key")
        keyCap = try members.decodeIfPresent("keyCap")
        source = try members.decode("source")
        model = try members.decode("model")
        promptBound = try members.decode("promptBound")
        outputs = try members.decode("outputs")
        outputLimit = try members.decode("outputLimit")
    }
}

extension Ledger.Decision: WireObject {
    /// As synthesized for a case with one value that has no label.
    private struct Case<Value: WireValue>: WireObject {
        var value: Value

        init(_ value: Value) { self.value = value }
        init(members: inout MemberReader) throws { value = try members.decode("_0") }
        func encodeMembers(into buffer: inout ByteBuffer) throws { try buffer.writeMember("_0", value) }
    }

    public func encodeMembers(into buffer: inout ByteBuffer) throws {
        switch self {
        case .granted(let grant): try buffer.writeMember("granted", Case(grant))
        case .refused(let refusal): try buffer.writeMember("refused", Case(refusal))
        }
    }

    public init(members: inout MemberReader) throws {
        if let granted: Case<Ledger.Grant> = try members.decodeIfPresent("granted") {
            self = .granted(granted.value)
        } else {
            self = .refused((try members.decode("refused") as Case<Ledger.Refusal>).value)
        }
    }
}

extension Ledger.Grant: WireObject {
    public func encodeMembers(into buffer: inout ByteBuffer) throws {
        try buffer.writeMember("reserved", reserved)
        try buffer.writeMember("outputLimit", outputLimit)
        try buffer.writeMember("limitedBy", limitedBy)
    }

    public init(members: inout MemberReader) throws {
        reserved = try members.decode("reserved")
        outputLimit = try members.decode("outputLimit")
        limitedBy = try members.decodeIfPresent("limitedBy")
    }
}

extension Ledger.Post: WireObject {
    public func encodeMembers(into buffer: inout ByteBuffer) throws {
        try buffer.writeMember("request", request)
        try buffer.writeMember("account", account)
        try buffer.writeMember("key", key)
        try buffer.writeMember("keyCap", keyCap)
        try buffer.writeMember("source", source)
        try buffer.writeMember("model", model)
        try buffer.writeMember("usage", usage)
    }

    public init(members: inout MemberReader) throws {
        request = try members.decode("request")
        account = try members.decode("account")
        key = try members.decodeIfPresent("key")
        keyCap = try members.decodeIfPresent("keyCap")
        source = try members.decode("source")
        model = try members.decode("model")
        usage = try members.decode("usage")
    }
}

extension Ledger.Usage: WireObject {
    public func encodeMembers(into buffer: inout ByteBuffer) throws {
        try buffer.writeMember("prompt", prompt)
        try buffer.writeMember("completion", completion)
        try buffer.writeMember("isEstimated", isEstimated)
        try buffer.writeMember("endpoint", endpoint)
        try buffer.writeMember("started", started)
        try buffer.writeMember("durationMs", durationMs)
        try buffer.writeMember("firstTokenMs", firstTokenMs)
        try buffer.writeMember("outcome", outcome)
    }

    public init(members: inout MemberReader) throws {
        prompt = try members.decode("prompt")
        completion = try members.decode("completion")
        isEstimated = try members.decode("isEstimated")
        endpoint = try members.decodeIfPresent("endpoint")
        started = try members.decode("started")
        durationMs = try members.decode("durationMs")
        firstTokenMs = try members.decodeIfPresent("firstTokenMs")
        outcome = try members.decode("outcome")
    }
}

extension Ledger.Receipt: WireObject {
    public func encodeMembers(into buffer: inout ByteBuffer) throws {
        try buffer.writeMember("billed", billed)
        try buffer.writeMember("writtenOff", writtenOff)
        try buffer.writeMember("cost", cost)
    }

    public init(members: inout MemberReader) throws {
        billed = try members.decode("billed")
        writtenOff = try members.decode("writtenOff")
        cost = try members.decode("cost")
    }
}

extension Router.Complete: WireObject {
    public func encodeMembers(into buffer: inout ByteBuffer) throws {
        try buffer.writeMember("model", model)
        try buffer.writeMember("operation", operation)
        try buffer.writeMember("isStream", isStream)
        try buffer.writeMember("outputLimit", outputLimit)
        try buffer.writeMember("outputLimitField", outputLimitField)
        try buffer.writeMember("relaysUsage", relaysUsage)
    }

    public init(members: inout MemberReader) throws {
        model = try members.decode("model")
        operation = try members.decode("operation")
        isStream = try members.decode("isStream")
        outputLimit = try members.decodeIfPresent("outputLimit")
        outputLimitField = try members.decodeIfPresent("outputLimitField")
        relaysUsage = try members.decode("relaysUsage")
    }
}

extension Router.Completion: WireObject {
    public func encodeMembers(into buffer: inout ByteBuffer) throws {
        try buffer.writeMember("failure", failure)
        try buffer.writeMember("isCancelled", isCancelled)
        try buffer.writeMember("endpoint", endpoint)
        try buffer.writeMember("usage", usage)
        try buffer.writeMember("contentEvents", contentEvents)
        try buffer.writeMember("contentBytes", contentBytes)
    }

    public init(members: inout MemberReader) throws {
        failure = try members.decodeIfPresent("failure")
        isCancelled = try members.decode("isCancelled")
        endpoint = try members.decodeIfPresent("endpoint")
        usage = try members.decodeIfPresent("usage")
        contentEvents = try members.decode("contentEvents")
        contentBytes = try members.decode("contentBytes")
    }
}

extension Router.ReportedUsage: WireObject {
    public func encodeMembers(into buffer: inout ByteBuffer) throws {
        try buffer.writeMember("prompt", prompt)
        try buffer.writeMember("completion", completion)
    }

    public init(members: inout MemberReader) throws {
        prompt = try members.decode("prompt")
        completion = try members.decode("completion")
    }
}
