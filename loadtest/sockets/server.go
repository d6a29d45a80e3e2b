package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

// Every server pings alike.
const (
	pingInterval = 25 * time.Second
	pingTimeout  = 60 * time.Second
)

// serve is a server process: it says where it listens, and answers commands until in ends.
func serve(name string, in io.Reader, out io.Writer) error {
	handler, err := serverNamed(name)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if err := json.NewEncoder(out).Encode(map[string]string{"address": listener.Addr().String()}); err != nil {
		return err
	}
	err = answer(in, out, doServer)
	_ = server.Close()
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		return served
	}
	return err
}

func serverNamed(name string) (http.Handler, error) {
	switch name {
	case "layer":
		return newLayer(), nil
	case "guarded":
		return newGuarded(), nil
	case "library":
		return newLibrary(), nil
	case "floor":
		return newFloor(), nil
	}
	return nil, fmt.Errorf("no server is called %q", name)
}

func doServer(c command) (any, error) {
	switch c.Do {
	case "stat":
		return ownStat()
	case "collect":
		debug.FreeOSMemory()
		debug.FreeOSMemory() // what the first only emptied, such as pools
		return struct{}{}, nil
	case "sites":
		return allocationSites(), nil
	}
	return nil, errors.New("not a command of a server")
}

func ownStat() (stat, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return stat{}, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return stat{
		CPUSeconds: seconds(usage.Utime) + seconds(usage.Stime),
		Heap:       float64(m.HeapAlloc),
		Running:    runtime.NumGoroutine(),
		Stacks:     float64(m.StackInuse),
		InSpans:    float64(m.HeapInuse),
		Idle:       float64(m.HeapIdle - m.HeapReleased),
		Metadata:   float64(m.MSpanInuse + m.MCacheInuse + m.BuckHashSys + m.GCSys + m.OtherSys),
	}, nil
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
