#pragma once

// hiredis and the Linux calls that drive it. It is linked, not looked up when needed: it is 60 kB and brings nothing along.

#if __has_include(<hiredis/async.h>)
#include <hiredis/async.h>
#else
#include <async.h>
#endif
#include <sys/epoll.h>
#include <sys/eventfd.h>
