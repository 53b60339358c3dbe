/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A program of 32 bits on a kernel of 64: an HTTP server of one connection at a time, written
 * without a C library because few machines have one for i386. Its calls go through int 0x80.
 *
 * usage: server [socketcall]    listens on a port of the kernel's choice and writes its number
 *
 * Receives and sends by read(2) and write(2), or with the argument by socketcall(2)'s recv and send.
 */
#define SYS_exit	1
#define SYS_read	3
#define SYS_write	4
#define SYS_close	6
#define SYS_socketcall	102
#define CALL_SOCKET	1
#define CALL_LISTEN	4
#define CALL_ACCEPT	5
#define CALL_GETSOCKNAME 6
#define CALL_SEND	9
#define CALL_RECV	10

	.bss
args:	.space 16
addr:	.space 16
length:	.space 4
text:	.space 8
buffer:	.space 8192

	.data
answer:	.ascii "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n32bit\n"
answer_end:

	.text
	.globl _start

/* socketcall(ebx = number, arguments in args) */
call:	movl $SYS_socketcall, %eax
	movl $args, %ecx
	int $0x80
	ret

_start:	xorl %ebp, %ebp		/* 1: by socketcall */
	cmpl $1, (%esp)
	setg %al
	movzbl %al, %ebp

	movl $2, args		/* AF_INET, SOCK_STREAM, 0 */
	movl $1, args + 4
	movl $0, args + 8
	movl $CALL_SOCKET, %ebx
	call call
	movl %eax, %esi		/* the listener; unbound: listen(2) finds a port */

	movl %esi, args
	movl $8, args + 4
	movl $CALL_LISTEN, %ebx
	call call

	movl $16, length
	movl $addr, args + 4
	movl $length, args + 8
	movl $CALL_GETSOCKNAME, %ebx
	call call

	movzwl addr + 2, %eax	/* the port, in digits, from their end */
	xchgb %al, %ah
	movl $text + 7, %edi
	movb $'\n', (%edi)
	movl $10, %ebx
digit:	xorl %edx, %edx
	divl %ebx
	addb $'0', %dl
	decl %edi
	movb %dl, (%edi)
	testl %eax, %eax
	jnz digit
	movl $SYS_write, %eax
	movl $1, %ebx
	movl %edi, %ecx
	movl $text + 8, %edx
	subl %edi, %edx
	int $0x80

next:	movl %esi, args
	movl $0, args + 4
	movl $0, args + 8
	movl $CALL_ACCEPT, %ebx
	call call
	testl %eax, %eax
	js fail
	movl %eax, %edi		/* the connection */

request: movl %edi, args
	movl $buffer, args + 4
	movl $8192, args + 8
	movl $0, args + 12
	testl %ebp, %ebp
	jz reads
	movl $CALL_RECV, %ebx
	call call
	jmp got
reads:	movl $SYS_read, %eax
	movl %edi, %ebx
	movl $buffer, %ecx
	movl $8192, %edx
	int $0x80
got:	testl %eax, %eax
	jle done

	movl $answer, args + 4
	movl $answer_end - answer, args + 8
	testl %ebp, %ebp
	jz writes
	movl $CALL_SEND, %ebx
	call call
	jmp request
writes:	movl $SYS_write, %eax
	movl %edi, %ebx
	movl $answer, %ecx
	movl $answer_end - answer, %edx
	int $0x80
	jmp request

done:	movl $SYS_close, %eax
	movl %edi, %ebx
	int $0x80
	jmp next

fail:	movl $SYS_exit, %eax
	movl $1, %ebx
	int $0x80

	.section .note.GNU-stack, "", @progbits
