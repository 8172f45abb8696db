//go:build wasip1

package main

import (
	"encoding/json"
	"errors"
)

// Three nodes: one that computes, one that remembers, one that asks a server.
var nodes = map[string]Node{"greet": greet, "count": count, "look": look}

func greet(parameters, _ json.RawMessage) (any, error) {
	var given struct{ Name string }
	if err := json.Unmarshal(parameters, &given); err != nil {
		return nil, err
	}
	if given.Name == "" {
		return nil, errors.New("name: is empty.")
	}
	return map[string]string{"greeting": "Hello, " + given.Name + "!"}, nil
}

func count(parameters, _ json.RawMessage) (any, error) {
	var given struct{ Name string }
	if err := json.Unmarshal(parameters, &given); err != nil {
		return nil, err
	}
	var times int
	if err := KV(map[string]any{"do": "get", "key": given.Name}, &times); err != nil {
		return nil, err
	}
	times++
	var had bool
	return times, KV(map[string]any{"do": "put", "key": given.Name, "value": times}, &had)
}

func look(parameters, _ json.RawMessage) (any, error) {
	var given struct{ URL string }
	if err := json.Unmarshal(parameters, &given); err != nil {
		return nil, err
	}
	Log(Info, given.URL)
	var answer struct{ Status int }
	if err := HTTP(map[string]any{"url": given.URL}, &answer); err != nil {
		return nil, err
	}
	if answer.Status >= 500 {
		return nil, MayPass{errors.New("the server is ill")}
	}
	return answer.Status < 400, nil
}
