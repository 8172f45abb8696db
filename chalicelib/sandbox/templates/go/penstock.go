//go:build wasip1

// The plugin ABI of Penstock, version 1, for Go 1.24 or later. Needs the grant `wasi`, as Go's run time does.
//
// Write a function for each node, and name them in `nodes` (see plugin.go). Build:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o plugin.wasm .
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"unsafe"
)

// Node does the work: its parameters and its context come as JSON, its value goes as JSON.
type Node func(parameters, context json.RawMessage) (any, error)

// MayPass wraps an error that another try may mend.
type MayPass struct{ Err error }

func (e MayPass) Error() string { return e.Err.Error() }

// Levels of Log.
const (
	Debug int32 = iota
	Info
	Warning
	Error
)

//go:wasmimport penstock http
func hostHTTP(text unsafe.Pointer, length uint32) uint64

//go:wasmimport penstock kv
func hostKV(text unsafe.Pointer, length uint32) uint64

//go:wasmimport penstock log
func hostLog(level int32, text unsafe.Pointer, length uint32)

// What the host was given room for, and what it is answered with, so that neither is collected meanwhile.
var kept = map[unsafe.Pointer][]byte{}

//go:wasmexport penstock_abi
func abi() int32 { return 1 }

//go:wasmexport penstock_alloc
func alloc(size uint32) unsafe.Pointer {
	room := make([]byte, max(size, 1))
	at := unsafe.Pointer(&room[0])
	kept[at] = room
	return at
}

//go:wasmexport penstock_call
func call(text unsafe.Pointer, length uint32) uint64 {
	content, err := json.Marshal(answer(unsafe.Slice((*byte)(text), length)))
	if err != nil {
		content, _ = json.Marshal(failure(err))
	}
	at := unsafe.Pointer(&content[0])
	kept[at] = content
	return uint64(uintptr(at))<<32 | uint64(len(content))
}

func answer(content []byte) any {
	var request struct {
		Node                string
		Parameters, Context json.RawMessage
	}
	if err := json.Unmarshal(content, &request); err != nil {
		return failure(err)
	}
	node, ok := nodes[request.Node]
	if !ok {
		return failure(fmt.Errorf("this plugin has no node %q", request.Node))
	}
	value, err := node(request.Parameters, request.Context)
	if err != nil {
		return failure(err)
	}
	return map[string]any{"ok": value}
}

func failure(err error) any {
	var passing MayPass
	return map[string]any{"error": map[string]any{"message": err.Error(), "retry": errors.As(err, &passing)}}
}

// HTTP asks for a request; `asked` and `answered` are as docs/plugins.md has them.
func HTTP(asked, answered any) error { return ask(hostHTTP, asked, answered) }

// KV asks for an operation on the plugin's own key-value space.
func KV(asked, answered any) error { return ask(hostKV, asked, answered) }

// Log writes a line.
func Log(level int32, text string) {
	hostLog(level, unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)))
}

func ask(host func(unsafe.Pointer, uint32) uint64, asked, answered any) error {
	content, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	packed := host(unsafe.Pointer(&content[0]), uint32(len(content)))
	var reply struct {
		OK    json.RawMessage
		Error *struct{ Code, Message string }
	}
	if err := json.Unmarshal(kept[unsafe.Pointer(uintptr(packed>>32))], &reply); err != nil {
		return err
	}
	if reply.Error != nil {
		return errors.New(reply.Error.Message)
	}
	return json.Unmarshal(reply.OK, answered)
}

func main() {}
