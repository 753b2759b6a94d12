//go:build tools

package tools

import _ "github.com/waku-org/go-waku/cmd/waku"
