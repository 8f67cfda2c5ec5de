# Go: its own system calls without libc, stacks that move, preemption by signals, many goroutines on many threads.
PATH=/usr/bin:/bin
command -v go >/dev/null || { echo "SKIPPED: no go"; exit 77; }
export HOME=$PWD GOCACHE=$PWD/cache GO111MODULE=off CGO_ENABLED=0
cat >p.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func deep(n int) int {
	var pad [64]byte
	if n == 0 {
		return os.Getppid() * 0
	}
	return deep(n-1) + 1 + int(pad[n%64])
}

func main() {
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for i := 0; i < 200; i++ {
		wg.Add(1)
		go func(n int) {
			defer wg.Done()
			d := deep(1000 + n)
			for k := 0; k < 50; k++ {
				os.Getppid()
			}
			mu.Lock()
			total += d
			mu.Unlock()
		}(i)
	}
	wg.Wait()
	fmt.Println("goroutines", total)

	// A loop without calls is preempted by SIGURG.
	runtime.GOMAXPROCS(1)
	stop := false
	go func() {
		for x := 0; !stop; x++ {
			if x < 0 {
				fmt.Println(x)
			}
		}
	}()
	time.Sleep(30 * time.Millisecond)
	fmt.Println("preempted")
	stop = true
	runtime.GOMAXPROCS(4)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	got := 0
	for i := 0; i < 20; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				fmt.Println(err)
				return
			}
			go func() { c.Write(make([]byte, 100000)); c.(*net.TCPConn).CloseWrite() }()
			b, _ := io.ReadAll(c)
			mu.Lock()
			got += len(b)
			mu.Unlock()
		}()
	}
	wg.Wait()
	fmt.Println("echoed", got)

	out, err := exec.Command("sh", "-c", "cat; exit 3").Output()
	fmt.Println("child", string(out), err)
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println("signal", <-sig)
	defer func() { fmt.Println("recovered", recover()) }()
	var nothing *int
	fmt.Println(*nothing)
}
GO
go build -o p.exe p.go && ./p.exe
