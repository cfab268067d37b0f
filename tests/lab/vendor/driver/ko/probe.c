/* Compiled where the kernel's build tree cannot compile: shows that the compiler works. */
int davinci_probe(void) { return 0; }
