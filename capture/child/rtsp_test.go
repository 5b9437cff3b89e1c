package child_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	stdjpeg "image/jpeg"
	"io"
	"net"
	"net/textproto"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"facerecd/capture"
	"facerecd/capture/capturetest"
	"facerecd/capture/child"
)

// server is as much of an RTSP camera as ffmpeg needs: MJPEG as RTP/JPEG (RFC
// 2435) inside the TCP connection (RFC 2326, 10.12), 25 pictures a second.
type server struct {
	picture  []byte // a JPEG file
	password string // of the user ana; "" for none
	frames   int    // then it freezes; 0 for no end

	listener net.Listener
	all      sync.WaitGroup
	mu       sync.Mutex
	open     []net.Conn
}

// start serves until the test ends.
func (s *server) start(t *testing.T) (address string) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatalf("%v; run `make test-needs` first", err)
	}
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.all.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open = append(s.open, conn)
			s.mu.Unlock()
			s.all.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		s.listener.Close()
		s.hangUp()
		s.all.Wait()
	})
	return s.listener.Addr().String()
}

func (s *server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.open {
		conn.Close()
	}
}

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	in := textproto.NewReader(bufio.NewReader(conn))
	for {
		// ffmpeg reports its reception inside the connection, too.
		if first, err := in.R.Peek(1); err != nil {
			return
		} else if first[0] == '$' {
			var head [4]byte
			if _, err := io.ReadFull(in.R, head[:]); err != nil {
				return
			}
			if _, err := in.R.Discard(int(binary.BigEndian.Uint16(head[2:]))); err != nil {
				return
			}
			continue
		}
		request, err := in.ReadLine()
		if err != nil {
			return
		}
		header, err := in.ReadMIMEHeader()
		if err != nil {
			return
		}
		status, extra, body := "200 OK", "", ""
		method, _, _ := strings.Cut(request, " ")
		switch method {
		case "OPTIONS":
			extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
		case "DESCRIBE":
			want := "Basic " + base64.StdEncoding.EncodeToString([]byte("ana:"+s.password))
			if s.password != "" && header.Get("Authorization") != want {
				status, extra = "401 Unauthorized", "WWW-Authenticate: Basic realm=\"door\"\r\n"
				break
			}
			if !strings.Contains(request, "/live") {
				status = "404 Not Found"
				break
			}
			body = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=door\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track0\r\n"
			extra = fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n", len(body))
		case "SETUP":
			extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
		case "PLAY":
			extra = "Session: 1\r\n"
		}
		if _, err := fmt.Fprintf(conn, "RTSP/1.0 %s\r\nCSeq: %s\r\n%s\r\n%s", status, header.Get("Cseq"), extra, body); err != nil {
			return
		}
		if method == "PLAY" {
			s.all.Go(func() { s.play(conn) })
		}
	}
}

func (s *server) play(conn net.Conn) {
	var packet uint16
	for n := 0; s.frames == 0 || n < s.frames; n++ {
		for _, payload := range rtpJPEG(s.picture) {
			packet++
			head := []byte{'$', 0, 0, 0, 0x80, 26, byte(packet >> 8), byte(packet)}
			if payload.last {
				head[5] |= 0x80
			}
			head = binary.BigEndian.AppendUint32(head, uint32(n*90000/25))
			head = binary.BigEndian.AppendUint32(head, 1)
			binary.BigEndian.PutUint16(head[2:], uint16(len(head)-4+len(payload.data)))
			if _, err := conn.Write(append(head, payload.data...)); err != nil {
				return
			}
		}
		time.Sleep(time.Second / 25)
	}
}

type payload struct {
	data []byte
	last bool
}

// rtpJPEG packs a picture of Go's encoder: baseline, 4:2:0, with the Huffman
// tables of T.81 and two quantisation tables.
func rtpJPEG(pic []byte) (all []payload) {
	var tables, size []byte
	at := 2
	for pic[at+1] != 0xDA {
		body := pic[at+4 : at+2+int(binary.BigEndian.Uint16(pic[at+2:]))]
		switch pic[at+1] {
		case 0xDB:
			tables = append(append(tables, body[1:65]...), body[66:130]...)
		case 0xC0:
			size = body[1:5]
		}
		at += 4 + len(body)
	}
	at += 2 + int(binary.BigEndian.Uint16(pic[at+2:]))
	scan := pic[at : len(pic)-2]
	for offset := 0; offset < len(scan); {
		data := binary.BigEndian.AppendUint32(nil, uint32(offset))
		data = append(data, 1, 255, byte(binary.BigEndian.Uint16(size[2:])/8), byte(binary.BigEndian.Uint16(size)/8))
		if offset == 0 {
			data = append(append(data, 0, 0, 0, 128), tables...)
		}
		n := min(len(scan)-offset, 1200)
		data = append(data, scan[offset:offset+n]...)
		offset += n
		all = append(all, payload{data, offset == len(scan)})
	}
	return all
}

// halves is a picture, white on the left and black on the right.
func halves(w, h int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(color.Black), image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(0, 0, w/2, h), image.NewUniform(color.White), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestRTSPCamerasKeepTheSourceContract(t *testing.T) {
	s := &server{picture: halves(128, 96)}
	url := "rtsp://" + s.start(t) + "/live"
	capturetest.SuiteLive(t, func(t *testing.T) capture.Source {
		src, err := child.OpenRTSP(t.Context(), url, child.Options{Width: 128, Height: 96, FPS: 15})
		if err != nil {
			t.Fatal(err)
		}
		return src
	})
}

func TestRTSPFramesAreFittedOnGrayInTheLevelsOfI420(t *testing.T) {
	s := &server{picture: halves(128, 96), password: "p@ss w/rd"}
	url := "rtsp://ana:p%40ss%20w%2Frd@" + s.start(t) + "/live"
	src, err := child.OpenRTSP(t.Context(), url, child.Options{Width: 160, Height: 160, FPS: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var f capture.Frame
	if err := src.Read(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	if f.Format != capture.I420 || f.Width != 160 || f.Height != 160 || f.Stride != 160 || len(f.Data) != 160*160*3/2 {
		t.Fatalf("%v frame %dx%d, stride %d, %d bytes", f.Format, f.Width, f.Height, f.Stride, len(f.Data))
	}
	// 160x120 of picture, 20 rows of gray above and below it.
	for _, p := range []struct {
		what       string
		x, y, want int
	}{
		{"gray above", 80, 10, 126},
		{"gray below", 80, 150, 126},
		{"white", 40, 80, 235},
		{"black", 120, 80, 16},
		{"white at the top", 40, 23, 235},
		{"black at the bottom", 120, 136, 16},
	} {
		if got := int(f.Data[p.y*160+p.x]); got < p.want-2 || got > p.want+2 {
			t.Errorf("%s: %d, want %d", p.what, got, p.want)
		}
	}
	for i, c := range f.Data[160*160:] {
		if c < 126 || c > 130 {
			t.Fatalf("chroma %d at %d of a picture without colour", c, i)
		}
	}
}

func TestRTSPErrorsTellTheReason(t *testing.T) {
	s := &server{picture: halves(128, 96), password: "right"}
	address := s.start(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	free.Close()
	tests := []struct {
		url  string
		is   error
		says string
	}{
		{"rtsp://ana:wrong@" + address + "/live", capture.ErrPermission, "401 Unauthorized"},
		{"rtsp://ana:right@" + address + "/other", capture.ErrNotFound, "404 Not Found"},
		{"rtsp://ana:wrong@" + nobody + "/live", capture.ErrNotFound, "Connection refused"},
	}
	for _, test := range tests {
		_, err := child.OpenRTSP(t.Context(), test.url, child.Options{Hide: []string{"wrong", "right"}})
		if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("Open(%s): %v", test.url, err)
		}
	}
}

func TestAnRTSPCameraThatHangsUpBreaksTheStream(t *testing.T) {
	s := &server{picture: halves(128, 96)}
	src, err := child.OpenRTSP(t.Context(), "rtsp://"+s.start(t)+"/live", child.Options{Width: 128, Height: 96})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	s.hangUp()
	if err := readUntilError(t, src); !errors.Is(err, capture.ErrStream) {
		t.Errorf("Read: %v", err)
	}
}

func TestAnRTSPCameraThatFreezesIsAStall(t *testing.T) {
	s := &server{picture: halves(128, 96), frames: 60}
	src, err := child.OpenRTSP(t.Context(), "rtsp://"+s.start(t)+"/live", child.Options{Width: 128, Height: 96, Stall: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := readUntilError(t, src); !errors.Is(err, capture.ErrStalled) {
		t.Errorf("Read: %v", err)
	}
}
