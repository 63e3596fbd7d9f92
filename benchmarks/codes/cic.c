/* Cloud-in-cell painting and reading on a periodic mesh, one thread: what a compiled loop takes. */
#include <math.h>
#include <string.h>

typedef struct { int here, next; float share; } cloud;

static cloud located(float cells, int size) {
    float floored = floorf(cells);
    int here = (int)floored % size;
    if (here < 0) here += size;
    return (cloud){here, here + 1 == size ? 0 : here + 1, cells - floored};
}

void paint(const float *position, long particles, float cells_per_length, int size, float *mesh) {
    memset(mesh, 0, sizeof(float) * size * size * size);
    for (long p = 0; p < particles; p++) {
        cloud axis[3];
        for (int i = 0; i < 3; i++) axis[i] = located(position[i * particles + p] * cells_per_length, size);
        for (int corner = 0; corner < 4; corner++) {
            long x = corner & 2 ? axis[0].next : axis[0].here, y = corner & 1 ? axis[1].next : axis[1].here;
            float share = (corner & 2 ? axis[0].share : 1 - axis[0].share) * (corner & 1 ? axis[1].share : 1 - axis[1].share);
            float *row = mesh + (x * size + y) * size;
            row[axis[2].here] += share * (1 - axis[2].share);
            row[axis[2].next] += share * axis[2].share;
        }
    }
}

/* a mesh of three components, these last */
void read_three(const float *mesh, const float *position, long particles, float cells_per_length, int size, float *values) {
    for (long p = 0; p < particles; p++) {
        cloud axis[3];
        float sum[3] = {0, 0, 0};
        for (int i = 0; i < 3; i++) axis[i] = located(position[i * particles + p] * cells_per_length, size);
        for (int corner = 0; corner < 4; corner++) {
            long x = corner & 2 ? axis[0].next : axis[0].here, y = corner & 1 ? axis[1].next : axis[1].here;
            float share = (corner & 2 ? axis[0].share : 1 - axis[0].share) * (corner & 1 ? axis[1].share : 1 - axis[1].share);
            const float *row = mesh + 3 * (x * size + y) * size;
            const float *here = row + 3 * axis[2].here, *next = row + 3 * axis[2].next;
            float far = share * axis[2].share, near = share - far;
            for (int i = 0; i < 3; i++) sum[i] += near * here[i] + far * next[i];
        }
        for (int i = 0; i < 3; i++) values[i * particles + p] = sum[i];
    }
}

/* what the memory can move: 8 bytes read and 4 written a number */
void triad(const float *b, const float *c, long size, float *a) {
    for (long i = 0; i < size; i++) a[i] = b[i] + 3 * c[i];
}
