package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// upgradeRequest has the headers that a browser sends, more or less.
const upgradeRequest = "GET /socket.io/?EIO=4&transport=websocket%[2]s HTTP/1.1\r\nHost: %[1]s\r\nUpgrade: websocket\r\n" +
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Origin: http://%[1]s\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nAccept-Language: en-GB,en;q=0.9\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n%[3]s\r\n"

// UpgradeRequest is what Upgrade sends, with more headers, each ended by CR LF.
func UpgradeRequest(host, query, headers string) string {
	return fmt.Sprintf(upgradeRequest, host, query, headers)
}

// Upgrade makes a connection to a Socket.IO server at host a websocket; query is added to the request's. What the server sent behind
// its answer is put into buf, which must have 4 KiB; have is how much that is.
func Upgrade(conn net.Conn, host, query string, buf []byte) (have int, err error) {
	if _, err := io.WriteString(conn, UpgradeRequest(host, query, "")); err != nil {
		return 0, err
	}
	reader := bufio.NewReaderSize(conn, 4096)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return 0, err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		return 0, errors.New("refused: " + response.Status)
	}
	return io.ReadFull(reader, buf[:reader.Buffered()])
}
